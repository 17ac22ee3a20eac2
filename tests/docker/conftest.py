"""Tests against a real Docker engine.

Without one they are skipped, but not where one is promised (CI).
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
import uuid
import warnings

import pytest

from pipelines.deployment.docker_target import DockerTarget
from pipelines.deployment.orders import reconcile
from pipelines.settings import load_settings
from tests.docker.composed import ROOT, alone, composed
from tests.docker.deployments import gateway_yard
from tests.docker.doors import open_door
from tests.docker.sales import sales_world

_home = tempfile.TemporaryDirectory(prefix="perennial-airflow-")
os.environ.setdefault("AIRFLOW_HOME", _home.name)  # Airflow reads it when it is first imported
REQUIRED = os.environ.get("PERENNIAL_REQUIRE_ENGINE") == "1"


@pytest.fixture(scope="session")
def engine():
    """The engine's client."""
    import docker

    client = (
        docker.APIClient(
            os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock",
            version="auto",
            timeout=120,
        )
        if _answers()
        else None
    )
    if client is None:
        if REQUIRED:
            pytest.fail("PERENNIAL_REQUIRE_ENGINE=1, but no Docker engine answers.")
        pytest.skip("no Docker engine answers here (DOCKER_HOST, /var/run/docker.sock)")
    yield client
    client.close()


class _One:
    """The composed stack of this process, once it is up."""

    stack = None
    ends = contextlib.ExitStack()


@pytest.fixture
def up(engine, tmp_path_factory):
    """One composed stack for all tests that need one, healthy, with a small model.

    It is gone when the last of them has ended.
    """
    if _One.stack is None:
        folder = tmp_path_factory.mktemp("compose")
        world = sales_world(folder / "home", ROOT)
        stack = composed(engine, folder).with_model(engine, world)
        stack.backups.mkdir()
        stack.backups.chmod(0o777)  # the user of the containers writes to it
        _One.ends.enter_context(alone())
        _One.ends.callback(shutil.rmtree, stack.backups, ignore_errors=True)
        for tag in stack.images.values():
            _One.ends.callback(engine.remove_image, tag, force=True)
        _One.ends.callback(stack.down, engine)
        _One.stack = stack
        print(f"\nhealthy after {stack.up():.0f} s")  # noqa: T201 -- the measured value
    return _One.stack


@pytest.fixture(scope="module")
def stack():
    """The name of a door's stack, one for each file."""
    return f"doortest-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def port(engine, stack, tmp_path_factory):
    """A door's port, one for each file."""
    with open_door(engine, stack, tmp_path_factory.mktemp("door") / "stopped.json") as number:
        yield number


@pytest.fixture
def through(port):
    """The engine's client through the door."""
    import docker

    client = docker.APIClient(base_url=f"tcp://127.0.0.1:{port}", version="auto", timeout=60)
    yield client
    client.close()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # docker-py leaves the socket of an attached stream to the garbage collector
        gc.collect()


@pytest.fixture(scope="module")
def step_image(engine):
    """An image whose entry point runs the Python code that its request holds."""
    from tests.docker.steps import step_image_of

    tag = step_image_of(engine)
    yield tag
    engine.remove_image(tag, force=True)


@pytest.fixture
def settings(step_image, tmp_path):
    """What steps in containers of that image run with."""
    return load_settings(
        {
            "PERENNIAL_STATE": str(tmp_path / "state"),
            "PERENNIAL_STEPS_IMAGE": step_image,
            "PERENNIAL_DOCKER_NETWORK": "none",
            "PERENNIAL_DOCKER_HOST": os.environ.get("DOCKER_HOST", ""),
        }
    )


@pytest.fixture
def nothing_left(engine, tmp_path):
    """Every test leaves no container of its own, however it ends."""
    yield
    mine = [
        c
        for c in engine.containers(all=True)
        if any(m["Source"] == str(tmp_path / "state") for m in c["Mounts"])
    ]
    for container in mine:
        engine.remove_container(container["Id"], force=True)
    assert [container["Names"] for container in mine] == []


@pytest.fixture(scope="module")
def yard(engine, tmp_path_factory):
    """A gateway on a network of its own, one for each file."""
    for needed in ("perennial/serving:latest", "perennial/gateway:latest"):
        if not engine.images(needed):
            pytest.fail(f"there is no image {needed}: run `make images`")
    with gateway_yard(engine, tmp_path_factory.mktemp("yard")) as found:
        yield found


@pytest.fixture
def model(yard):
    """A model whose version 1 serves as release 1."""
    with _serving(yard) as found:
        yield found


@pytest.fixture(scope="module")
def _standing(yard):
    with _serving(yard) as found:
        yield found


@pytest.fixture
def standing(_standing):
    """The one model of a file's tests; one of its two versions serves, and nothing is amiss."""
    reconcile(_standing.context, DockerTarget())
    return _standing


@contextlib.contextmanager
def _serving(yard):
    found = yard.model()
    try:
        found.deploy("1")
        yield found
    finally:
        found.remove()


def pytest_runtest_teardown(nextitem):
    """Bring the composed stack down as soon as no test needs it.

    Until the session ends, it would be in everybody's way.
    """
    if nextitem is None or "test_compose" not in nextitem.path.name:
        _One.stack = None
        _One.ends.close()


def _answers():
    import docker

    try:
        client = docker.APIClient(
            os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock",
            version="auto",
            timeout=10,
        )
    except docker.errors.DockerException:
        return False
    client.close()
    return True
