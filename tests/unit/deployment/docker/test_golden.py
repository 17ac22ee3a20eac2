"""The proof over HTTP compares exactly, whatever the task."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import httpx
import pytest
import uvicorn

from pipelines.bundle.load import open_bundle
from pipelines.bundle.manifest import Release
from pipelines.deployment.docker.golden import differences
from pipelines.settings import Settings
from pipelines.store.local import LocalStore
from serving.__main__ import options
from serving.app import create_app
from tests.serving.bundles import put_bundle, put_release


@contextlib.contextmanager
def served(store, tmp_path):
    settings = Settings(state=tmp_path, serving_port=1, proof_token="secret")
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings, store), **{**options(settings), "port": 0})
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"x-perennial-proof": "secret"}
        ) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_true_server_proves_itself_and_any_other_answer_is_told(tmp_path, task):
    store = LocalStore(tmp_path / "store")
    bundle = put_bundle(store, task=task)
    put_release(store, 1, bundle)
    own_bundle = open_bundle(store, bundle)
    release = Release(model="flights", number=1, version="1", bundle=bundle, reason="a test")
    with served(store, tmp_path) as client:
        assert differences(client, release, own_bundle.manifest, own_bundle.golden) == []
        first = [a + 1e-12 for a in own_bundle.golden.answers[0]]
        bent = own_bundle.golden.model_copy(
            update={"answers": [first, *own_bundle.golden.answers[1:]]}
        )
        faults = differences(client, release, own_bundle.manifest, bent)
        assert len(faults) == 1
        assert faults[0].startswith("golden request 0: expected ")
        other = release.model_copy(update={"number": 2})
        assert all(
            "answered by" in text
            for text in differences(client, other, own_bundle.manifest, own_bundle.golden)
        )
        unknown = release.model_copy(update={"model": "nobody"})
        assert all(
            "status 404" in text
            for text in differences(client, unknown, own_bundle.manifest, own_bundle.golden)
        )
    assert store.segments("inference/flights/predictions") == [], "a proof is no traffic"
