"""Numbers far outside what a model has learnt from.

The caller is told which, and the server has not failed.
"""

from __future__ import annotations

import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.bundle.schema import Column
from serving.far_values import refuse_far
from serving.problems import Problem
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW

PREDICT = "/models/miles/predict"
NEAR = {**ROW, "distance": 0.5}
FAR = {**ROW, "distance": 3e38}


@pytest.mark.parametrize("kind", ["linear", "linear native"])
def test_a_number_that_overflows_the_model_is_the_caller_s(store, bundles, serve, kind):
    put_release(store, 1, bundles[kind], model="miles")
    client = serve()
    assert client.post(PREDICT, json={"rows": [NEAR]}).status_code == 200
    answer = client.post(
        PREDICT, json={"rows": [NEAR, {**NEAR, "seats": 10**6}, {**FAR, "seats": 10**6}]}
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["row"], error["field"]) == (
        422,
        "invalid_input",
        2,
        "distance",
    )
    assert "far outside what the model has learnt from" in error["message"]
    assert 'outputs_invalid_total{model="miles"}' not in client.get("/metrics").text


def test_a_number_far_outside_that_still_gives_an_answer_is_answered(store, bundles, serve):
    put_release(store, 1, bundles["linear"], model="miles")
    assert serve().post(PREDICT, json={"row": {**NEAR, "distance": 1e30}}).status_code == 200


def test_a_bundle_without_ranges_keeps_the_500(store, bundles, serve):
    manifest = open_bundle(store, bundles["linear"]).manifest.model_dump()
    for column in manifest["inputs"]["columns"]:
        del column["low"], column["high"]
    put_release(
        store, 1, write_bundle(store, BundleManifest.model_validate(manifest)), model="miles"
    )
    client = serve()
    answer = client.post(PREDICT, json={"row": FAR})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_output_invalid")
    assert 'perennial_outputs_invalid_total{model="miles"} 1.0' in client.get("/metrics").text


COLUMNS = [
    Column(name="a", kind="number", nullable=True, low=0, high=10),
    Column(name="b", kind="integer", nullable=False, low=5, high=5),
    Column(name="c", kind="string", nullable=True),
]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        pytest.param({0: (10.0, 5, "x"), 1: (0.0, 5, "x")}, None, id="within"),
        pytest.param({0: (20.0, 10, None)}, None, id="outside, not far"),
        pytest.param({3: (20.1, 5, "x")}, (3, "a"), id="far above"),
        pytest.param({3: (-10.1, 5, "x")}, (3, "a"), id="far below"),
        pytest.param(
            {3: (30.0, 5, "x"), 7: (None, 1_000, "x")},
            (7, "b"),
            id="furthest in widths; of a constant, in its size",
        ),
        pytest.param({0: (None, 5, None)}, None, id="nulls and texts have no range"),
    ],
)
def test_the_furthest_is_named(rows, named):
    if named is None:
        refuse_far(COLUMNS, rows)
        return
    with pytest.raises(Problem) as caught:
        refuse_far(COLUMNS, rows)
    assert (caught.value.status, caught.value.row, caught.value.field) == (422, *named)
