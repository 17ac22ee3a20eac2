"""A release that does not prove itself is refused and shown, and hurts nobody else."""

from __future__ import annotations

import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest, Golden, release_key
from pipelines.refs import canonical
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.releases import PREDICT, served, spoilt


def flip(store, uri):
    path = store.root / uri
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


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
