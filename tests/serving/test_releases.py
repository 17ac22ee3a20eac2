"""Which release serves: the newest that proves itself.

Whatever is refused is shown, and hurts nobody else.
"""

from __future__ import annotations

import json
import shutil

import numpy as np

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest, release_key
from pipelines.store.local import LocalStore
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.logged import records
from tests.serving.releases import PREDICT, served


def test_the_highest_release_serves_from_the_start(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 2, bundles["2"], version="2")
    assert served(serve()) == (2, "2")


def test_a_new_release_takes_over(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    before = client.post(PREDICT, json={"row": ROW}).json()
    put_release(store, 2, bundles["2"], version="2")
    client.look()
    after = client.post(PREDICT, json={"row": ROW}).json()
    assert (before["version"], after["version"]) == ("1", "2")
    assert (
        after["predictions"]
        == open_bundle(store, bundles["2"]).predictor.predict([ROW])[:, 0].tolist()
    )


def test_the_way_back_is_a_release_too(store, bundles, serve):
    for number, version in ((1, "1"), (2, "2"), (3, "1")):
        put_release(store, number, bundles[version], version=version)
    assert served(serve()) == (3, "1")


def test_a_model_may_be_called_models(store, bundles, serve):
    """The index of names stands apart from the releases: no name that a model may have is taken."""
    manifest = {
        **open_bundle(store, bundles["regression"]).manifest.model_dump(),
        "model": "models",
    }
    put_release(
        store, 1, write_bundle(store, BundleManifest.model_validate(manifest)), model="models"
    )
    put_release(store, 1, bundles["1"])
    client = serve()
    assert (served(client, "models"), served(client)) == ((1, "1"), (1, "1"))
    assert [m["model"] for m in client.get("/models").json()["models"]] == ["flights", "models"]


def test_an_empty_store_is_alive_but_not_ready(serve):
    client = serve()
    assert client.get("/health").status_code == 200
    assert client.get("/ready").json() == {
        "status": "not ready",
        "reason": "No model has a release yet.",
    }
    assert client.get("/models").json() == {"models": []}


def test_a_release_that_comes_while_another_loads_wins(store, bundles, serve, settings):
    put_release(store, 1, bundles["1"])

    class Slow:
        """Publishes release 3 while release 2 is being read."""

        def __getattr__(self, name):
            return getattr(store, name)

        def read(self, key):
            if key == release_key("flights", 2):
                put_release(store, 3, bundles["1"])
            return store.read(key)

    client = serve(Slow())
    put_release(store, 2, bundles["2"], version="2")
    client.look()
    assert served(client) == (3, "1")


def test_a_store_that_is_away_changes_nothing_and_is_tried_again(store, bundles, serve):
    put_release(store, 1, bundles["1"])

    class Away:
        down = False

        def __getattr__(self, name):
            return getattr(store, name)

        def get(self, ref):
            if Away.down:
                raise OSError(5, "Input/output error")
            return store.get(ref)

    client = serve(Away())
    put_release(store, 2, bundles["2"], version="2")
    Away.down = True
    client.look()
    assert served(client) == (1, "1")
    assert client.get("/models/flights").json()["refused"] is None
    Away.down = False
    client.look()
    assert served(client) == (2, "2")


def test_a_model_that_answers_no_number_is_counted_as_500(store, bundles, serve):
    """The regression's first tree gives infinity for this row.

    An output that no golden request showed.
    """
    import onnx

    bundle = open_bundle(store, bundles["regression"])
    model = onnx.load_model_from_string(store.get(bundle.manifest.onnx))
    node = next(n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor")
    weights = next(a for a in node.attribute if a.name == "target_weights")
    answers = {tuple(bundle.predictor.predict([row])[0]) for row in bundle.golden.rows}
    for i in range(len(weights.floats)):
        kept, weights.floats[i] = weights.floats[i], float("inf")
        changed = model.SerializeToString()
        fields = {**bundle.manifest.model_dump(), "onnx": store.put(changed, ".onnx")}
        ref = write_bundle(store, BundleManifest.model_validate(fields))
        found = open_bundle(store, ref).predictor
        rows = [
            {**ROW, "distance": float(d), "seats": s}
            for d in range(0, 1000, 50)
            for s in (30, 200, 390)
        ]
        broken = [
            row
            for row, answer in zip(rows, found.predict(rows), strict=True)
            if not np.isfinite(answer).all()
        ]
        if broken and {tuple(found.predict([row])[0]) for row in bundle.golden.rows} == answers:
            break
        weights.floats[i] = kept
    put_release(store, 1, ref, model="minutes")
    client = serve()
    answer = client.post("/models/minutes/predict", json={"row": broken[0]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_output_invalid")
    assert 'perennial_outputs_invalid_total{model="minutes"} 1.0' in client.get("/metrics").text


def test_refusals_and_failures_never_log_what_a_caller_sent(store, bundles, serve, caplog):
    put_release(store, 1, bundles["1"])
    client = serve()
    with caplog.at_level("DEBUG", logger="perennial"):
        client.post(PREDICT, json={"row": {**ROW, "carrier": "canary-17", "canary-18": 1}})
        client.post(PREDICT, content=b"canary-19")
    assert "canary" not in json.dumps([r.getMessage() for r in caplog.records])


def test_releases_may_come_from_a_store_of_their_own_and_the_log_goes_to_the_other(
    store, bundles, serve, settings, tmp_path
):
    own = LocalStore(tmp_path / "baked")
    shutil.copytree(store.root / "objects", own.root / "objects")
    put_release(own, 7, bundles["1"])
    client = serve(store, settings.replace(releases=str(own.root)))
    assert served(client) == (7, "1")
    assert client.post(PREDICT, json={"row": ROW}).status_code == 200
    assert len(records(store)) == 1
    assert records(own) == []
