"""Tests of the place `kubernetes` against a real cluster.

Without one they are skipped, but not where one is promised.
"""

from __future__ import annotations

import os
import tempfile
import uuid

import pytest

from pipelines.errors import GiveUp
from pipelines.kubernetes_client import api_client
from pipelines.settings import load_settings

_home = tempfile.TemporaryDirectory(prefix="perennial-airflow-")
os.environ.setdefault("AIRFLOW_HOME", _home.name)  # Airflow reads it when it is first imported
REQUIRED = os.environ.get("PERENNIAL_REQUIRE_CLUSTER") == "1"
USER = 10_001


@pytest.fixture(scope="session")
def core():
    """The client of the cluster."""
    from kubernetes.client import CoreV1Api

    try:
        found = CoreV1Api(api_client(load_settings({})))
        found.get_api_resources(_request_timeout=10)
    except (GiveUp, OSError, *_errors()) as error:
        if REQUIRED:
            pytest.fail(f"PERENNIAL_REQUIRE_CLUSTER=1, but no cluster answers: {error}")
        pytest.skip(f"no Kubernetes cluster answers here (KUBECONFIG): {error}")
    yield found
    found.api_client.close()


def _errors():
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    return ApiException, HTTPError


@pytest.fixture(scope="module")
def namespace(core):
    """A namespace of its own for each file."""
    from tests.cluster.places.pods import await_until

    name = f"perennial-test-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    await_until(lambda: _names(core.list_namespaced_service_account(name)))
    yield name
    core.delete_namespace(name)


def _names(found):
    return [each.metadata.name for each in found.items]


@pytest.fixture(scope="session")
def engine(core):
    """The client of the one node's engine."""
    import docker

    found = docker.APIClient(
        os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock", version="auto", timeout=120
    )
    yield found
    found.close()


@pytest.fixture(scope="session")
def step_image(engine):
    """An image, on the one node's engine, that runs the Python code of its request."""
    from tests.docker.steps import step_image_of

    tag = step_image_of(engine)
    yield tag
    engine.remove_image(tag, force=True)


@pytest.fixture
def settings(namespace, step_image, tmp_path):
    """What steps in pods of that image run with; their state is a folder of the one node."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, USER, USER)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    return load_settings(
        {
            "PERENNIAL_STATE": str(state),
            "PERENNIAL_STEPS_IMAGE": step_image,
            "PERENNIAL_KUBERNETES_STEPS_VOLUME": str(state),
            "PERENNIAL_KUBERNETES_NAMESPACE": namespace,
            "PERENNIAL_KUBERNETES_STEPS_PULL_POLICY": "Never",
            "PERENNIAL_KUBERNETES_STEPS_PENDING_SECONDS": "150",
        }
    )


@pytest.fixture
def nothing_left(core, namespace):
    """Every test leaves no pod of its own, however it ends: each is gone, or going.

    Old nodes take a minute over one whose container never began.
    """
    yield
    left = core.list_namespaced_pod(namespace).items
    assert [pod.metadata.name for pod in left if pod.metadata.deletion_timestamp is None] == []
