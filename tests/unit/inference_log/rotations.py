"""A log to rotate, and what is in it afterwards."""

import json

from pipelines.inference_log.reader import read_log
from tests.unit.inference_log.logs import MODEL, answered, predictions, write


def nobody(model):
    assert model == MODEL


def entries(store, folder="rotated"):
    return [json.loads(store.read(key)) for key in store.keys(f"inference/{MODEL}/{folder}")]


def fill(store, segments=3, version="1"):
    return [
        write(store, f"{version}{n}", predictions(version=version), answered(f"{version}{n}", n))
        for n in range(segments)
    ]


def ids(store):
    return sorted(read_log(store, MODEL).rows["request_id"].to_pylist())
