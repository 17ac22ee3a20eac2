"""Hostile bodies: whatever is sent, the answer is 2xx or 4xx, and 2xx only for what the schema
allows."""

from __future__ import annotations

import json
import math
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.inference_log.reader import read_labels, read_log
from pipelines.settings import Settings
from pipelines.store.local import LocalStore
from serving.app import create_app
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, InProcess
from tests.serving.hostile_bodies import BESIDE, BYTES, CLOSE, TOLD, torn


@pytest.fixture(scope="module")
def client(shelf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(shelf[0].root, folder / "store")
    store = LocalStore(folder / "store")
    put_release(store, 1, shelf[1]["1"])
    put_release(store, 1, shelf[1]["linear"], model="miles")
    with InProcess(create_app(Settings(state=folder, serving_poll_seconds=60), store)) as client:
        yield client


@pytest.fixture(scope="module")
def store_of(client):
    return client.app.state.follower._store


def allowed(row) -> bool:
    """Say independently of the server whether the schema allows a row."""

    def number(value) -> bool:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) <= 3.4028234663852886e38
        )

    return (
        isinstance(row, dict)
        and set(row) == set(ROW)
        and (row["distance"] is None or number(row["distance"]))
        and number(row["seats"])
        and math.isfinite(row["seats"])
        and row["seats"] == int(row["seats"])
        and isinstance(row["weekend"], bool)
        and (row["carrier"] is None or isinstance(row["carrier"], str))
    )


def readable(answer) -> bool:
    """Tell whether an answer that is no 2xx has the one form, in words that are not a library's."""
    body = answer.json()
    words = body["error"]["message"]
    return bool(words and body["request_id"]) and not any(
        part in words for part in ("Expected `", "- at `$", "malformed", "msgspec", "Traceback")
    )


def check(client, body: bytes) -> None:
    """Ask the trees, and a linear model that overflows on what is far outside."""
    for model in ("flights", "miles"):
        check_model(client, model, body)


def check_model(client, model: str, body: bytes) -> None:
    answer = client.post(f"/models/{model}/predict", content=body)
    found = answer.json()
    if answer.status_code == 200:
        sent = json.loads(body)
        rows = sent.get("rows", [sent.get("row")])
        assert all(allowed(row) for row in rows)
        assert len(found["predictions"]) == len(rows)
        assert all(
            math.isfinite(p) if model == "miles" else 0 <= p <= 1 for p in found["predictions"]
        )
    else:
        assert 400 <= answer.status_code < 500
        assert found["error"]["code"] in {
            "bad_json",
            "invalid_input",
            "too_many_rows",
            "body_too_large",
        }
        assert readable(answer), found


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(BYTES)
def test_hundreds_of_hostile_bodies(client, body):
    check(client, body)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(CLOSE, min_size=1, max_size=3))
def test_what_the_schema_allows_is_answered_and_nothing_else(client, rows):
    try:
        body = json.dumps({"rows": rows}, allow_nan=False).encode()
    except ValueError:
        return
    sendable = all(
        row["carrier"] is None or not any("\ud800" <= c <= "\udfff" for c in row["carrier"])
        for row in rows
    )
    answer = client.post("/models/flights/predict", content=body)
    assert (answer.status_code == 200) == (sendable and all(allowed(row) for row in rows))
    check_model(client, "miles", body)


def sent(body) -> bytes:
    return json.dumps(body).encode("utf-8", "surrogatepass")


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(BESIDE)
def test_whatever_stands_beside_the_rows_the_log_can_be_read_back(client, store_of, body):
    before = read_log(store_of, "flights").rows.num_rows
    answer = client.post("/models/flights/predict", content=sent(body))
    assert answer.status_code == 200 or 400 <= answer.status_code < 500
    log = read_log(store_of, "flights")
    assert (log.damage, log.torn) == ([], 0)
    new = log.rows.slice(before).to_pylist()
    assert len(new) == (len(answer.json()["predictions"]) if answer.status_code == 200 else 0)
    if new:
        assert [row["key"] for row in new] == body.get("keys", [body.get("key")] * len(new))


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.one_of(
        TOLD.map(sent),
        st.builds(torn, TOLD.map(json.dumps), st.integers(0, 1_000), st.just('"')).map(str.encode),
        st.binary(),
    )
)
def test_whatever_is_told_at_most_one_label_of_what_is_known_is_taken(client, store_of, body):
    client.post(
        "/models/flights/predict",
        json={"row": ROW, "key": "known"},
        headers={"X-Request-ID": "known"},
    )
    answer = client.post("/models/flights/feedback", content=body)
    assert answer.status_code in {200, 400, 404, 409, 413, 422}
    assert answer.status_code == 200 or readable(answer)
    labels = read_labels(store_of, "flights")
    assert labels.damage == []
    assert labels.table["label"].to_pylist() in ([], [0.0], [1.0])
    assert set(labels.table["identity"].to_pylist()) <= {"k:known"}


@pytest.mark.long
@pytest.mark.timeout(1_800)
@settings(
    max_examples=30_000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(BYTES)
def test_tens_of_thousands_of_hostile_bodies(client, body):
    check(client, body)
