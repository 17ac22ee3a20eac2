"""A step's container installs what its model requires into the state, and finds it there again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.wheels import Index

pytestmark = [pytest.mark.engine, pytest.mark.slow]

IMAGE = os.environ.get("PERENNIAL_TEST_STEPS_IMAGE", "perennial/steps:latest")
PROGRAM = """
import os, sys
from pipelines.environments.ready import paths
from pipelines.environments.resolution import resolve
from pipelines.settings import load_settings
from pipelines.store.opening import open_store
settings = load_settings()
store = open_store(settings.store)
sys.path += paths(resolve(["pnclock==1.0"], store), settings, store)
import pnclock
print(pnclock.__file__, pnclock.VERSION)
"""


@pytest.fixture
def index():
    """An index in a folder that the container's user may read."""
    with tempfile.TemporaryDirectory(prefix="perennial-index-") as name:
        index = Index(Path(name) / "simple")
        index.add("pnclock", "1.0")
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield index


@pytest.fixture
def run(engine, index):
    """Runs the program as production runs a step; with or without the index."""
    volume = f"perennial-test-environments-{os.getpid()}"
    engine.create_volume(volume)
    made = []

    def run(index_url):
        limits = engine.create_host_config(
            read_only=True,
            tmpfs={"/tmp": "rw,nosuid,nodev,noexec,size=1g,mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            network_mode="none",
            init=True,
            binds=[f"{volume}:/state", f"{index.root}:/index:ro"],
        )
        created = engine.create_container(
            IMAGE,
            entrypoint=["python", "-c", PROGRAM],
            environment={"UV_DEFAULT_INDEX": index_url, "UV_HTTP_RETRIES": "0"},
            host_config=limits,
        )
        made.append(created["Id"])
        engine.start(created["Id"])
        ended = engine.wait(created["Id"], timeout=120)["StatusCode"]
        printed = engine.logs(created["Id"]).decode(errors="replace")
        assert ended == 0, printed
        return printed

    yield run
    for container in made:
        engine.remove_container(container, force=True, v=True)
    engine.remove_volume(volume, force=True)


def test_a_container_installs_once_what_a_model_requires(run):
    first = run("file:///index")
    assert first.startswith("/state/environments/")
    assert first.endswith("/site/pnclock/__init__.py 1.0\n")
    assert run("http://127.0.0.1:9/simple") == first
