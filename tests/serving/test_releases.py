"""Which release serves: the newest that proves itself.

Whatever is refused is shown, and hurts nobody else.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest, Golden, release_key
from pipelines.refs import canonical
from pipelines.store.local import LocalStore
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.logged import records

PREDICT = "/models/flights/predict"


def spoilt(store, ref):
    """Return the same bundle with a golden answer that is off by the smallest possible step."""
    bundle = open_bundle(store, ref)
    answers = [[float(np.nextafter(a[0], 2))] for a in bundle.golden.answers]
    golden = store.put(canonical(Golden(rows=bundle.golden.rows, answers=answers)), ".json")
    return write_bundle(
        store, BundleManifest.model_validate({**bundle.manifest.model_dump(), "golden": golden})
    )


def flip(store, uri):
    path = store.root / uri
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def served(client, name="flights"):
    body = client.get(f"/models/{name}").json()
    return body["release"], body["version"]


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


def test_a_golden_difference_keeps_the_old_release_and_is_told(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    put_release(store, 2, spoilt(store, bundles["1"]))
    client.look()
    refused = client.get("/models/flights").json()["refused"]
    assert served(client) == (1, "1")
    assert refused["release"] == 2
    assert "golden request 0: expected" in refused["reason"]
    assert "and 5 more" in refused["reason"]
    assert client.get("/ready").status_code == 200
    assert 'perennial_release_refusals_total{model="flights"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("part", ["manifest", "onnx", "native", "golden"])
def test_a_flipped_byte_keeps_the_old_release_and_names_the_object(store, bundles, serve, part):
    put_release(store, 1, bundles["1"])
    client = serve()
    ref = bundles["2"]
    uri = (
        ref.uri
        if part == "manifest"
        else getattr(BundleManifest.model_validate_json(store.get(ref)), part).uri
    )
    flip(store, uri)
    put_release(store, 2, ref, version="2")
    client.look()
    assert served(client) == (1, "1")
    assert uri in client.get("/models/flights").json()["refused"]["reason"]


def test_a_refused_release_is_not_tried_again_but_the_next_one_is(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    uri = BundleManifest.model_validate_json(store.get(bundles["2"])).onnx.uri
    whole = (store.root / uri).read_bytes()
    (store.root / uri).unlink()
    put_release(store, 2, bundles["2"], version="2")
    client.look()
    (store.root / uri).write_bytes(whole)
    client.look()
    assert served(client) == (1, "1")
    put_release(store, 3, bundles["2"], version="2")
    client.look()
    assert served(client) == (3, "2")
    assert client.get("/models/flights").json()["refused"] is None


def test_a_restarted_server_goes_down_to_the_release_that_works(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 2, bundles["2"], version="2")
    put_release(store, 3, spoilt(store, bundles["1"]))
    put_release(store, 4, spoilt(store, bundles["2"]), version="2")
    client = serve()
    assert served(client) == (2, "2")
    assert client.get("/models/flights").json()["refused"]["release"] == 4


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="torn"),
        pytest.param(b'{"format": 9}', id="of another format"),
        pytest.param(None, id="of another model"),
    ],
)
def test_an_unreadable_release_hurts_no_other_model(store, bundles, serve, body):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["regression"], model="minutes")
    client = serve()
    store.publish(
        release_key("flights", 2), store.read(release_key("minutes", 1)) if body is None else body
    )
    store.publish(release_key("aaa", 1), b"{")
    store.publish("served/aaa", b"1")
    store.publish("served/NO NAME", b"1")
    store.publish("releases/flights/not-a-number", b"1")
    put_release(store, 2, bundles["regression"], model="minutes")
    client.look()
    assert served(client) == (1, "1")
    assert served(client, "minutes") == (2, "1")
    assert client.get("/models/flights").json()["refused"]["release"] == 2


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


def test_a_bundle_of_another_model_is_refused(store, bundles, serve):
    put_release(store, 1, bundles["regression"])
    answer = serve().get("/models/flights")
    assert "names the bundle of minutes" in answer.json()["refused"]["reason"]


def test_golden_requests_that_no_caller_could_send_are_refused(store, bundles, serve):
    bundle = open_bundle(store, bundles["1"])
    rows = [{**row, "seats": float(row["seats"]) + 0.5} for row in bundle.golden.rows]
    answers = [bundle.predictor.predict([row])[0].tolist() for row in rows]
    golden = store.put(canonical(Golden(rows=rows, answers=answers)), ".json")
    put_release(
        store,
        1,
        write_bundle(
            store, BundleManifest.model_validate({**bundle.manifest.model_dump(), "golden": golden})
        ),
    )
    assert "field seats" in serve().get("/models/flights").json()["refused"]["reason"]


def test_a_model_without_a_good_release_answers_503_with_the_refusal(store, bundles, serve):
    put_release(store, 1, spoilt(store, bundles["1"]))
    client = serve()
    for answer in (client.get("/models/flights"), client.post(PREDICT, json={"row": ROW})):
        body = answer.json()
        assert (answer.status_code, body["error"]["code"], body["refused"]["release"]) == (
            503,
            "model_not_loaded",
            1,
        )
        assert "retry-after" in answer.headers
    ready = client.get("/ready")
    assert (ready.status_code, client.get("/health").status_code) == (503, 200)
    assert "flights" in ready.json()["reason"]


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


def test_what_is_told_of_a_model(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    body = client.get("/models/flights").json()
    assert body["fitted_on"] == {"start": "2013-03-01T00:00:00Z", "end": "2013-04-01T00:00:00Z"}
    assert (body["rows"], body["features_revision"], body["compiled"]) == (400, "abc123", True)
    assert body["metrics"] == {"roc_auc": 0.75, "log_loss": None}
    assert body["inputs"]["properties"]["seats"]["type"] == "integer"
    assert body["inputs"]["properties"]["carrier"]["type"] == ["string", "null"]
    assert body["since"].endswith("Z")
    assert client.get("/models").json() == {"models": [body]}


def test_openapi_shows_each_served_model_with_an_example_that_works(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["multiclass"], model="delays")
    put_release(store, 1, spoilt(store, bundles["1"]), model="broken")
    client = serve()
    paths = client.get("/openapi.json").json()["paths"]
    predict = [p for p in paths if p.endswith("/predict")]
    assert predict == ["/models/delays/predict", PREDICT]
    for path in predict:
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        assert client.post(path, json=content["example"]).status_code == 200
        assert set(content["schema"]["oneOf"][1]["properties"]["row"]["required"]) == set(ROW)


def test_the_answer_and_the_example_follow_their_own_schema(store, bundles, serve):
    from jsonschema import Draft202012Validator

    put_release(store, 1, bundles["multiclass"], model="delays")
    client = serve()
    post = client.get("/openapi.json").json()["paths"]["/models/delays/predict"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    Draft202012Validator(content["schema"]).validate(content["example"])
    answer = client.post("/models/delays/predict", json=content["example"])
    Draft202012Validator(
        post["responses"]["200"]["content"]["application/json"]["schema"]
    ).validate(answer.json())
    problem = client.post("/models/delays/predict", json={"row": {}})
    Draft202012Validator(
        post["responses"]["default"]["content"]["application/json"]["schema"]
    ).validate(problem.json())


def test_the_page_needs_no_other_server(serve):
    page = serve().get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


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


def test_a_damaged_entry_keeps_the_old_release_says_so_and_is_taken_once_it_was_written_anew(
    store, bundles, serve
):
    put_release(store, 1, bundles["1"])
    client = serve()
    put_release(store, 2, bundles["2"], version="2")
    path = store.root / "keys" / release_key("flights", 2)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"flights", b"flighty"))
    for _ in range(2):
        client.look()
    assert served(client) == (1, "1")
    said = client.get("/models/flights").json()["refused"]
    assert said["release"] == 2
    assert "entry releases/flights/00000002 was changed" in said["reason"]
    assert 'perennial_release_refusals_total{model="flights"} 1.0' in client.get("/metrics").text
    assert store.publish(release_key("flights", 2), whole.split(b"\n", 1)[1])
    client.look()
    assert served(client) == (2, "2")
    assert client.get("/models/flights").json()["refused"] is None
