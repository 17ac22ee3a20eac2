"""Personal data is hashed or left out, and never written in the clear."""

from __future__ import annotations

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.inference_log.format import LoggedColumn
from pipelines.inference_log.personal_data import PersonalKey
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.log.flights import PREDICT
from tests.serving.logged import records, written


def personal(store, ref, inputs=None, key=None):
    """Return the bundle with inputs (and the key) marked as personal, as packaging marks them."""
    manifest = open_bundle(store, ref).manifest.model_dump()
    for column in manifest["inputs"]["columns"]:
        column["personal"] = (inputs or {}).get(column["name"])
    manifest["inputs"]["key_personal"] = key
    return write_bundle(store, BundleManifest.model_validate(manifest))


def everything(tmp_path):
    """Return every byte below the state's folder that is neither an object of the store nor the
    personal key."""
    files = [
        p
        for p in tmp_path.rglob("*")
        if p.is_file() and "objects" not in p.parts and "secrets" not in p.parts
    ]
    assert any("segments" in p.parts for p in files)
    return b"".join(p.read_bytes() for p in files)


def test_personal_inputs_are_hashed_or_left_out_and_never_written_in_the_clear(
    store, bundles, serve, settings, tmp_path
):
    put_release(
        store,
        1,
        personal(
            store, bundles["1"], {"carrier": "hash", "seats": "hash", "distance": "drop"}, "hash"
        ),
    )
    client = serve()
    row = {"distance": 424_242.125, "seats": 313_131, "weekend": True, "carrier": "Ada Lovelace"}
    client.post(
        PREDICT, json={"rows": [row, {**row, "carrier": None}], "keys": ["passport-17", None]}
    )
    (segment,) = written(store)
    assert segment.header.columns == (
        LoggedColumn("seats", "string"),
        LoggedColumn("weekend", "boolean"),
        LoggedColumn("carrier", "string"),
    )
    key = PersonalKey(settings.personal_key)
    (record,) = segment.records
    assert record.rows == [
        [key.hash_of(313_131), True, key.hash_of("Ada Lovelace")],
        [key.hash_of(313_131), True, None],
    ]
    assert record.keys == [key.hash_of("passport-17"), None]
    assert (
        client.post("/models/flights/feedback", json={"key": "passport-17", "label": 1}).json()[
            "accepted"
        ]
        == 1
    )
    found = everything(tmp_path)
    assert not [word for word in (b"Lovelace", b"313131", b"424242", b"passport") if word in found]
    assert key.hash_of("passport-17").encode() in found


def test_dropped_keys_are_not_written_and_feedback_by_key_says_so(store, bundles, serve, tmp_path):
    put_release(store, 1, personal(store, bundles["1"], key="drop"))
    client = serve()
    request = client.post(PREDICT, json={"row": ROW, "key": "passport-17"}).json()["request_id"]
    assert records(store)[0].keys is None
    answer = client.post("/models/flights/feedback", json={"key": "passport-17", "label": 1})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "key")
    assert (
        client.post(
            "/models/flights/feedback", json={"request_id": request, "label": 1}
        ).status_code
        == 200
    )
    assert b"passport" not in everything(tmp_path)


def test_without_a_key_that_may_be_used_nothing_personal_is_answered(
    store, bundles, serve, settings
):
    PersonalKey(settings.personal_key).hash_of("")
    settings.personal_key.chmod(0o644)
    put_release(store, 1, personal(store, bundles["1"], {"carrier": "hash"}))
    put_release(store, 1, bundles["regression"], model="minutes")
    client = serve()
    assert client.post(PREDICT, json={"row": ROW}).json()["error"]["code"] == "log_unavailable"
    assert "chmod 600" in client.get("/ready").json()["reason"]
    assert client.post("/models/minutes/predict", json={"row": ROW}).status_code == 200
    settings.personal_key.chmod(0o600)
    assert client.post(PREDICT, json={"row": ROW}).status_code == 200
