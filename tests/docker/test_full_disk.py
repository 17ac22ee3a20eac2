"""An engine whose disk is full while a release is built.

A named error, and nothing of the attempt is left.

An engine of the test's own, with its data on a small file system in memory: it takes root, and a
minute.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import docker
import pytest

from pipelines.deployment.docker import image as images
from pipelines.deployment.docker.engine import engine_for
from pipelines.deployment.releases import release_of
from pipelines.errors import StorageFull
from pipelines.ledger import MemoryLedger, ReleaseIntent
from pipelines.settings import Settings, local_path
from pipelines.store.local import LocalStore
from tests.serving.bundles import put_bundle

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long]
MODEL = "crowded"


@pytest.fixture
def small(engine, tmp_path):
    """An engine with room for the serving image and little more: its settings, and its folder."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("an engine of one's own takes root and dockerd")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m", "none", str(disk)], check=True)
    url = f"unix://{tmp_path}/engine.sock"
    # In a network of its own: an engine without a bridge takes docker0 away from the one beside it.
    command = [
        "unshare",
        "--net",
        "dockerd",
        "--data-root",
        str(disk / "data"),
        "--exec-root",
        str(tmp_path / "exec"),
        "--pidfile",
        str(tmp_path / "pid"),
    ]
    command += [
        "-H",
        url,
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--log-level",
        "error",
    ]
    with (tmp_path / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        api = _connected(url, tmp_path / "engine.sock")
        api.load_image(b"".join(engine.get_image("perennial/serving:latest")))
        yield Settings(state=tmp_path / "state", docker_host=url), disk, api
        api.close()
    finally:
        process.terminate()
        process.wait(30)
        for mounted in sorted(disk.rglob("merged"), reverse=True):
            subprocess.run(["umount", str(mounted)], check=False, capture_output=True)
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _connected(url, path):
    end = time.monotonic() + 30
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(1.0)  # the socket is there a moment before the engine answers
    return docker.APIClient(url, version="auto", timeout=300)


def _fill(path):
    with path.open("wb", buffering=0) as file:
        while file.write(bytes(1_000_000)):
            pass


def test_a_full_disk_is_named_leaves_nothing_and_a_retry_goes_on_when_there_is_room(small):
    settings, disk, api = small
    store, ledger = LocalStore(local_path(settings.store)), MemoryLedger()
    bundle = put_bundle(store, model=MODEL, version="1", seed=1)
    intent = ReleaseIntent(number=1, version="1", bundle=bundle, reason="a test")
    release = release_of(ledger.append(MODEL, "run", intent))
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        _fill(ballast)
    known, containers = {i["Id"] for i in api.images(all=True)}, api.containers(all=True)
    with pytest.raises(StorageFull, match="no space left"):
        images.build_image(engine_for(settings), settings, store, release, "promote")
    ballast.unlink()
    assert {i["Id"] for i in api.images(all=True)} == known
    assert api.containers(all=True) == containers
    assert (
        images.build_image(engine_for(settings), settings, store, release, "promote").id
        not in known
    )
