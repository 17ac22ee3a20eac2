"""A version with a threshold answers what it decides; others answer as they ever did."""

import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.messages import Threshold
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW

PREDICT = "/models/flights/predict"
ROWS = [{**ROW, "distance": float(d)} for d in range(0, 2_000, 100)]


def with_threshold(store, ref, value, names=None):
    """Return the bundle as if its version had been given a threshold."""
    manifest = open_bundle(store, ref).manifest
    inputs = manifest.inputs.model_copy(update={"binary_classes": names})
    return write_bundle(
        store,
        manifest.model_copy(update={"threshold": Threshold(value=value), "inputs": inputs}),
    )


@pytest.fixture
def probabilities(store, bundles):
    return open_bundle(store, bundles["1"]).predictor.predict(ROWS)[:, 0].tolist()


@pytest.mark.parametrize("names", [None, ("kept", "cancelled")])
def test_each_row_is_decided_and_a_probability_at_the_threshold_is_none(
    store, bundles, serve, probabilities, names
):
    at = sorted(set(probabilities))[1]
    put_release(store, 1, with_threshold(store, bundles["1"], at, names))
    client = serve()
    body = client.post(PREDICT, json={"rows": ROWS}).json()
    no, yes = names or (False, True)
    assert body["predictions"] == probabilities
    assert body["threshold"] == at
    assert body["decisions"] == [yes if p > at else no for p in probabilities]
    assert body["decisions"][probabilities.index(at)] == no
    assert {no, yes} == set(body["decisions"])
    shown = client.get("/openapi.json").json()["paths"][PREDICT]["post"]
    answer = shown["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["properties"]["decisions"]["items"] == {"enum": [no, yes]}
    assert set(body) == set(answer["required"])
    assert client.get("/models/flights").json()["threshold"] == at


def test_without_a_threshold_nothing_is_decided(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    body = client.post(PREDICT, json={"row": ROW}).json()
    assert set(body) == {"request_id", "model", "version", "release", "predictions"}
    assert "threshold" not in client.get("/models/flights").json()
