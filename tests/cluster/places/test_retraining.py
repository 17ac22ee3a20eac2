"""A whole retraining whose steps are pods: Airflow starts them, a server in the cluster answers.

Its store is in a folder of the one node, or in a bucket of Google or a container of Azure.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pipelines.ports import ConfiguredPorts
from pipelines.settings import PREFIX, Settings, load_settings
from stack.environment import BUNDLE
from tests.azurite import azurite
from tests.cluster.places.conftest import USER
from tests.cluster.places.pods import await_until
from tests.cluster.reaching import host_address
from tests.conftest import ROOT
from tests.docker.sales import FIRST_DAY, image_with, sales_world
from tests.google_storage import google_storage

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1_800)]
SERVER, SECRET = "serving", "of-steps"


@dataclass
class Loop:
    """A model's loop in a namespace: what its worker is started with, and what came of it."""

    environ: dict[str, str]
    settings: Settings
    folder: Path

    def airflow(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "airflow", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-6_000:]
        return said


@pytest.fixture(params=["folder", "azure", "google"])
def store(request, core):
    """The variables by which the store is found: none, where it is in the state."""
    with contextlib.ExitStack() as stack:
        if request.param == "folder":
            yield {}
            return
        service = (
            azurite()
            if request.param == "azure"
            else stack.enter_context(google_storage(host_address()))
        )
        yield service.environment(stack.enter_context(service.bucket()))


@pytest.fixture
def loop(core, namespace, engine, tmp_path, store):
    """The small model, its steps' image, and a server that reads the same store."""
    world = sales_world(tmp_path / "home", ROOT)
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, USER, USER)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    image = image_with(engine, "perennial/steps:latest", world, f"perennial-test/steps:{namespace}")
    host = f"{SERVER}.{namespace}.svc.cluster.local"
    key = {name: value for name, value in store.items() if not name.startswith(PREFIX)}
    core.create_namespaced_secret(namespace, {"metadata": {"name": SECRET}, "stringData": key})
    start_server(core, namespace, state, host, store)
    environ = {
        **os.environ,
        **store,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        "PERENNIAL_HOME": str(world.home),
        "PERENNIAL_STATE": str(state),
        "PERENNIAL_PLACE": "kubernetes",
        "PERENNIAL_STEPS_IMAGE": image,
        "PERENNIAL_SERVING_URL": f"http://{host}:8000",
        "PERENNIAL_KUBERNETES_NAMESPACE": namespace,
        "PERENNIAL_KUBERNETES_STEPS_VOLUME": str(state),
        "PERENNIAL_KUBERNETES_STEPS_PULL_POLICY": "Never",
        "PERENNIAL_KUBERNETES_STEPS_SECRET": SECRET,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE]),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(tmp_path / "bundles"),
    }
    yield Loop(environ, load_settings(environ), tmp_path)
    core.delete_namespaced_pod(SERVER, namespace, grace_period_seconds=0)
    core.delete_namespaced_service(SERVER, namespace)
    core.delete_namespaced_secret(SECRET, namespace)
    await_until(lambda: not core.list_namespaced_pod(namespace).items)
    engine.remove_image(image, force=True)


def start_server(core, namespace, state, host, store):
    core.create_namespaced_service(
        namespace,
        {
            "metadata": {"name": SERVER},
            "spec": {"selector": {"app": SERVER}, "ports": [{"port": 8000}]},
        },
    )
    environment = {
        "SERVING_HOST": "0.0.0.0",
        "SERVING_HOSTS": host,
        "STATE": "/state",
        "RELEASES": store.get("PERENNIAL_STORE", "/state/store"),
    }
    given = {f"{PREFIX}{name}": value for name, value in environment.items()} | store
    container = {
        "name": SERVER,
        "image": "perennial/serving:latest",
        "imagePullPolicy": "Never",
        "env": [{"name": name, "value": value} for name, value in given.items()],
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }
    core.create_namespaced_pod(
        namespace,
        {
            "metadata": {"name": SERVER, "labels": {"app": SERVER}},
            "spec": {
                "containers": [container],
                "enableServiceLinks": False,
                "volumes": [{"name": "state", "hostPath": {"path": str(state)}}],
            },
        },
    )
    await_until(lambda: core.read_namespaced_pod(SERVER, namespace).status.phase == "Running")


def test_a_model_comes_to_serve_by_steps_that_are_pods(loop, core, namespace):
    loop.airflow("db", "migrate")
    conf = json.dumps({"as_of": FIRST_DAY, "reason": "in pods"})
    said = loop.airflow("dags", "test", "retrain_sales", "--conf", conf)
    champion = ConfiguredPorts(loop.settings).ledger.champion("sales")
    assert champion is not None, said[-6_000:]
    assert champion.version == "1"
    left = [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items]
    assert left == [SERVER]
    answer = core.connect_get_namespaced_service_proxy_with_path(
        f"{SERVER}:8000", namespace, "models/sales"
    )
    assert "'version': '1'" in str(answer) or '"version":"1"' in str(answer)
