"""The chart installed into a namespace of its own, as docs/kubernetes.md tells, and a model in it.

Its state is in a bucket: no pod of it has a volume that another one sees.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import docker
import httpx
import pytest

from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from stack.airflow_api import AirflowApi
from tests.buckets import ENVIRON
from tests.chart.rendering import CHART, HELM, helm
from tests.cluster.deployments import TAG
from tests.cluster.reaching import kubectl, until
from tests.conftest import ROOT
from tests.docker.sales import image_with, sales_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.ledger import Entry
    from tests.buckets import Endpoint
    from tests.worlds import World

MARKS = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.timeout(2_400),
    pytest.mark.skipif(HELM is None, reason="Helm is not here"),
]
"""The marks of tests that install the chart."""
RELEASE = "perennial"
MODEL = "sales"
SMALL = {"requests": {"cpu": "20m", "memory": "64Mi"}}
PARTS = ("apiServer", "scheduler", "dagProcessor", "triggerer", "worker")
RETRAIN = f"retrain_{MODEL}"
RUN_SECONDS = 1_500
LONG = 900.0
"""Seconds within which a task gets to where a test waits for it, on a busy machine too."""
ONCE = ("ingest", "validation", "features", "verdict", "release", "champion", "outcome")
"""What the ledger says once of a run."""
GONE_SECONDS = 300
OF_MODEL = """
deploy: {replicas: {min: 1, max: 2}, requests: {memory: 64m, cpus: 0.05}}
resources: {cpus: 0.5}
"""
"""Steps without limits get next to no processor where a node has others to do."""


@dataclass(frozen=True)
class Installation:
    """What was installed: how it is asked, and what is seen of it."""

    namespace: str
    world: World
    endpoint: Endpoint
    bucket: str
    values: dict[str, Any]
    api: AirflowApi

    def run(self, dag_id: str, run_id: str, **conf: Any) -> str:
        """Start a run, wait for its end, and return its state."""
        self.api.trigger(dag_id, conf, run_id)
        return self.api.wait(dag_id, run_id, RUN_SECONDS)

    def retrain(self, run_id: str, **conf: Any) -> str:
        return self.run(RETRAIN, run_id, **conf)

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """The state of each task; of mapped ones, of each index."""
        return {
            task.task if task.index < 0 else f"{task.task} {task.label}": task.state
            for task in self.api.tasks(dag_id, run_id)
        }

    def tries(self, dag_id: str, run_id: str, task: str) -> int:
        return max(t.tries for t in self.api.tasks(dag_id, run_id) if t.task == task)

    def effects(self, run_id: str) -> dict[str, int]:
        """How often the ledger says each thing of a run."""
        entries = self.entries()
        return {kind: sum(e.kind == kind and e.run == run_id for e in entries) for kind in ONCE}

    def why(self, dag_id: str, run_id: str) -> str:
        """Return the ends of the logs of the tasks that failed."""
        ends = [
            (task.task, self.api.log(dag_id, run_id, task.task, task.index, task.tries)[-4_000:])
            for task in self.api.tasks(dag_id, run_id)
            if task.state in {"failed", "up_for_retry"}
        ]
        return "\n".join(f"{task}:\n{log}" for task, log in ends)

    def answer(self, rows: list[dict[str, Any]]) -> httpx.Response:
        """Ask the model's Service, as a caller inside of the cluster does."""
        return httpx.post(f"{self.service}/models/{MODEL}/predict", json={"rows": rows}, timeout=30)

    def describe(self) -> dict[str, Any]:
        body: dict[str, Any] = httpx.get(f"{self.service}/models/{MODEL}", timeout=30).json()
        return body

    @property
    def service(self) -> str:
        return f"http://{self.address(f'perennial-{MODEL}')}:8000"

    def address(self, service: str) -> str:
        return cluster_ip(self.namespace, service)

    def pods(self, selector: str) -> dict[str, dict[str, Any]]:
        """The pods of a selector that are not about to end, by name."""
        found = json.loads(
            kubectl("-n", self.namespace, "get", "pods", "-l", selector, "-o", "json")
        )
        return {
            pod["metadata"]["name"]: pod
            for pod in found["items"]
            if not pod["metadata"].get("deletionTimestamp")
        }

    def listing(self, prefix: str) -> list[str]:
        """The names of some objects below a prefix of the store."""
        found = self.endpoint.boto().list_objects_v2(
            Bucket=self.bucket, Prefix=f"state/{prefix}/", MaxKeys=10
        )
        return [item["Key"] for item in found.get("Contents", ())]

    @property
    def ports(self) -> ConfiguredPorts:
        """The system's ledger and store, as this host reaches them."""
        inside = secret(self.namespace, "perennial-steps", "PERENNIAL_LEDGER_URL")
        host = f"@{RELEASE}-postgres/"
        assert host in inside
        home = self.world.home
        key = home.parent / "key"
        key.touch(mode=0o600)
        key.write_text(
            f"[default]\naws_access_key_id = {self.endpoint.key_id}\n"
            f"aws_secret_access_key = {self.endpoint.secret}\n"
        )
        return ConfiguredPorts(
            load_settings(
                {
                    "PERENNIAL_HOME": str(home),
                    "PERENNIAL_STATE": str(home.parent / "near"),
                    "PERENNIAL_STORE": f"s3://{self.bucket}/state",
                    "PERENNIAL_STORE_ENDPOINT": self.endpoint.url,
                    "PERENNIAL_STORE_CREDENTIALS": str(key),
                    "PERENNIAL_LEDGER_URL": inside.replace(
                        host, f"@{self.address(f'{RELEASE}-postgres')}/"
                    ),
                }
            )
        )

    def entries(self, kind: Any = None) -> list[Entry]:
        return self.ports.ledger.entries(MODEL, kind)

    @property
    def champion(self) -> str | None:
        found = self.ports.ledger.champion(MODEL)
        return found.version if found else None


def secret(namespace: str, name: str, entry: str) -> str:
    found = json.loads(kubectl("-n", namespace, "get", "secret", name, "-o", "json"))
    return base64.b64decode(found["data"][entry]).decode()


def cluster_ip(namespace: str, service: str) -> str:
    return kubectl("-n", namespace, "get", "service", service, "-o", "jsonpath={.spec.clusterIP}")


@contextlib.contextmanager
def images_with_model(world: World, tag: str) -> Iterator[dict[str, str]]:
    """Yield the chart's images: those that hold models also hold the world's."""
    engine = docker.APIClient(
        ENVIRON.get("DOCKER_HOST") or "unix:///var/run/docker.sock", version="auto", timeout=120
    )
    made = {
        name: image_with(engine, f"perennial/{name}:{TAG}", world, f"perennial-test/{name}:{tag}")
        for name in ("airflow", "steps")
    }
    try:
        others = {
            name: f"perennial/{name}:{TAG}" for name in ("serving", "mlflow", "broker", "gateway")
        }
        native = {"servingNative": f"perennial/serving-native:{TAG}"}
        yield {**made, **others, **native, "postgres": f"perennial/postgres:{TAG}"}
    finally:
        for image in made.values():
            engine.remove_image(image, force=True)
        engine.close()


def make_secrets(namespace: str, endpoint: Endpoint) -> None:
    """Make the chart's Secrets, and that of the bucket, as the documentation tells."""
    key = {"AWS_ACCESS_KEY_ID": endpoint.key_id, "AWS_SECRET_ACCESS_KEY": endpoint.secret}
    subprocess.run(
        ["bash", str(CHART / "make-secret.sh"), namespace, "perennial", RELEASE],
        check=True,
        env={**ENVIRON, **key},
        timeout=60,
    )
    literals = [f"--from-literal={name}={value}" for name, value in key.items()]
    kubectl("-n", namespace, "create", "secret", "generic", "bucket", *literals)


@contextlib.contextmanager
def installed(home: Path, endpoint: Endpoint, *, executor: str = "local") -> Iterator[Installation]:
    """Install the chart with state in a bucket; remove it again."""
    world = sales_world(home, ROOT)
    spec = world.home / "models" / MODEL / "model.yaml"
    spec.write_text(spec.read_text() + OF_MODEL)
    tag = secrets.token_hex(3)
    namespace = f"perennial-test-{tag}"
    with endpoint.bucket(prefix="") as bucket, images_with_model(world, tag) as images:
        kubectl("create", "namespace", namespace)
        try:
            make_secrets(namespace, endpoint)
            place = {"url": f"s3://{bucket.bucket}/state", "endpoint": endpoint.url}
            values = {
                "secret": "perennial",
                "stepsSecret": "perennial-steps",
                "images": images,
                "state": {"bucket": {**place, "secret": "bucket"}},
                "postgres": {"inside": True, "storage": ""},
                "airflow": {"executor": executor, "resources": dict.fromkeys(PARTS, SMALL)},
                "mlflow": {"resources": SMALL},
                "gateway": {"enabled": True, "replicas": 1, "resources": SMALL},
            }
            file = home.parent / "values.json"
            file.write_text(json.dumps(values))
            done = helm(
                *("--namespace", namespace, "install", RELEASE, str(CHART), "-f", str(file)),
                *("--wait", "--wait-for-jobs", "--timeout", "15m"),
                seconds=1_000,
            )
            assert done.returncode == 0, done.stderr
            password = secret(namespace, "perennial", "airflow-admin")
            url = f"http://{cluster_ip(namespace, f'{RELEASE}-airflow')}:8080"
            with AirflowApi(url, "admin", password) as api:
                until(lambda: f"retrain_{MODEL}" in api.dag_ids(), 300)
                yield Installation(namespace, world, endpoint, bucket.bucket, values, api)
        finally:
            helm("--namespace", namespace, "uninstall", RELEASE)
            kubectl("delete", "namespace", namespace, "--wait=false")
            # Pods that are told to end still send what they have logged.
            until(lambda: namespace not in kubectl("get", "namespaces", "-o", "name"), GONE_SECONDS)
