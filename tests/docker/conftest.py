"""Tests against a real Docker engine; without one they are skipped, but not where one is promised (CI)."""

from __future__ import annotations

import os

import pytest

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


def _answers():
    import docker

    try:
        client = docker.APIClient(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock", version="auto", timeout=10)
    except docker.errors.DockerException:
        return False
    client.close()
    return True
