"""A serving host with the rights that docs/bucket.md names: it reads, and writes segments."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from pipelines.store.port import OBJECTS
from tests.bad_network import bad_network
from tests.buckets import bucket_store, moto
from tests.conftest import ROOT
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until

pytestmark = pytest.mark.slow

WRITES = {"PUT", "POST", "DELETE"}


@pytest.fixture
def filled(store, bundles, tmp_path):
    """A bucket with a release, and the way to it on which segments alone may be written."""
    put_release(store, 1, bundles["1"])
    with moto() as endpoint, endpoint.bucket() as address:
        far = bucket_store(address, tmp_path / "other-host")
        for item in store.contents("objects"):
            path = store.root / item.name
            far.put(path.read_bytes(), path.suffix)
        for item in store.contents("entries"):
            far.publish(item.name, store.read(item.name))
        with bad_network(endpoint.url) as network:
            network.writable = "/segments/"
            environ = endpoint.environment(address) | {"PERENNIAL_STORE_ENDPOINT": network.url}
            yield far, network, environ


def test_it_serves_takes_labels_and_sends_its_log(filled, launch):
    far, network, environ = filled
    server = launch(PERENNIAL_LOG_SEND_SECONDS="1", **environ)
    flights = f"{server.url}/models/flights"
    wait_until(lambda: httpx.get(flights).status_code == 200)
    answer = httpx.post(f"{flights}/predict", json={"row": ROW}).json()
    told = {"request_id": answer["request_id"], "row": 0, "label": 1}
    assert httpx.post(f"{flights}/feedback", json={"labels": [told]}).json()["accepted"] == 1
    for kind in ("predictions", "labels"):
        wait_until(lambda kind=kind: far.segments(f"inference/flights/{kind}"))
    assert {(m, s) for m, s in network.answers if m in WRITES and s != 200} <= {("DELETE", 204)}
    httpx.put(f"{network.url}/{far.address.bucket}/{OBJECTS}/other", content=b"x")
    assert network.answers["PUT", 403] == 1


def test_the_documented_policy_lets_it_write_segments_and_nothing_else():
    text = (ROOT / "docs" / "bucket.md").read_text()
    _, serving = (json.loads(block) for block in re.findall(r"(?s)```json\n(.*?)```", text))
    allowed = {
        (action, statement["Resource"].partition("/")[2])
        for statement in serving["Statement"]
        for action in [statement["Action"]]
        for action in ([action] if isinstance(action, str) else action)
    }
    assert allowed == {
        ("s3:GetObject", "perennial/*"),
        ("s3:PutObject", "perennial/segments/*"),
        ("s3:DeleteObject", "perennial/segments/*"),
        ("s3:ListBucket", ""),
    }
