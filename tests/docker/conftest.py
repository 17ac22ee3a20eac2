"""Tests against a real Docker engine.

Without one they are skipped, but not where one is promised (CI).
"""

from __future__ import annotations

import contextlib
import os
import shutil

import pytest

from tests.docker.composed import alone, composed

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
    """One composed stack for all tests that need one, healthy.

    It is gone when the last of them has ended.
    """
    if _One.stack is None:
        stack = composed(engine, tmp_path_factory.mktemp("compose"))
        stack.backups.mkdir()
        stack.backups.chmod(0o777)  # the user of the containers writes to it
        _One.ends.enter_context(alone())
        _One.ends.callback(shutil.rmtree, stack.backups, ignore_errors=True)
        _One.ends.callback(stack.down, engine)
        _One.stack = stack
        print(f"\nhealthy after {stack.up():.0f} s")  # noqa: T201 -- the measured value
    return _One.stack


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
