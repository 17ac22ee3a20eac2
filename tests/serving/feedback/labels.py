"""Predictions, and labels that a caller tells of them."""

from __future__ import annotations

import re

from tests.serving.conftest import ROW
from tests.serving.logged import records

PREDICT = "/models/flights/predict"
FEEDBACK = "/models/flights/feedback"


def predict(client, model="flights", **beside):
    return client.post(f"/models/{model}/predict", json={"row": ROW, **beside}).json()["request_id"]


def tell(client, model="flights", **body):
    return client.post(f"/models/{model}/feedback", json=body)


def counts(client, model="flights"):
    """Return the labels of a model by what became of them."""
    found = re.findall(
        rf'^perennial_feedback_total{{model="{model}",outcome="(\w+)"}} (\S+)$',
        client.get("/metrics").text,
        re.MULTILINE,
    )
    return {outcome: float(count) for outcome, count in found}


def written_labels(store, model="flights"):
    return [(r.identity, r.label) for r in records(store, model, "labels")]
