"""Tests against a real Docker engine; without one they are skipped, but not where one is promised (CI)."""

from __future__ import annotations

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
        docker.APIClient(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock", version="auto", timeout=120)
        if _answers()
        else None
    )
    if client is None:
        if REQUIRED:
            pytest.fail("PERENNIAL_REQUIRE_ENGINE=1, but no Docker engine answers.")
        pytest.skip("no Docker engine answers here (DOCKER_HOST, /var/run/docker.sock)")
    yield client
    client.close()


@pytest.fixture(scope="session")
def up(engine, tmp_path_factory):
    """One composed stack for all tests that need one, healthy; it is gone at the end."""
    folder = tmp_path_factory.mktemp("compose")
    stack = composed(engine, folder)
    stack.backups.mkdir()
    stack.backups.chmod(0o777)  # the user of the containers writes to it
    with alone():
        try:
            print(f"\nhealthy after {stack.up():.0f} s")  # noqa: T201 -- the measured value
            yield stack
        finally:
            stack.down(engine)
            shutil.rmtree(stack.backups, ignore_errors=True)


def _answers():
    import docker

    try:
        client = docker.APIClient(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock", version="auto", timeout=10)
    except docker.errors.DockerException:
        return False
    client.close()
    return True
