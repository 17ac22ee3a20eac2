"""The chart on a real cluster: installed, ready, its pages answered, and gone again."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess

import docker
import httpx
import pytest

from tests.buckets import ENVIRON
from tests.chart.rendering import CHART, HELM, helm
from tests.cluster.deployments import TAG
from tests.cluster.reaching import kubectl, until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(HELM is None, reason="Helm is not here"),
]

SMALL = {"requests": {"cpu": "20m", "memory": "64Mi"}}


@pytest.fixture
def namespace(cluster_answers, monkeypatch):
    for name in ("KUBECONFIG", "PATH"):
        monkeypatch.setenv(name, ENVIRON[name])
    name = f"perennial-test-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    yield name
    helm("--namespace", name, "uninstall", "perennial")
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def airflow_image(cluster_answers):
    """Airflow's image under a name by which the chart lets steps run in it; here none does."""
    name, tag = "perennial-test/airflow", secrets.token_hex(3)
    engine = docker.APIClient(
        ENVIRON.get("DOCKER_HOST") or "unix:///var/run/docker.sock", version="auto", timeout=120
    )
    engine.tag(f"perennial/airflow:{TAG}", name, tag)
    yield f"{name}:{tag}"
    engine.remove_image(f"{name}:{tag}", noprune=True)
    engine.close()


def values_for(endpoint, bucket, airflow_image):
    return {
        "secret": "perennial",
        "stepsSecret": "perennial-steps",
        "place": "process",
        "images": {
            "airflow": airflow_image,
            "serving": f"perennial/serving:{TAG}",
            "postgres": "perennial/postgres:latest",
        },
        "state": {
            "bucket": {"url": f"s3://{bucket}/state", "endpoint": endpoint.url, "secret": "bucket"}
        },
        "postgres": {"inside": True, "storage": ""},
        "airflow": {
            "executor": "celery",
            "workers": 1,
            "workerTasks": 1,
            "resources": dict.fromkeys(
                ("apiServer", "scheduler", "dagProcessor", "triggerer", "worker"), SMALL
            ),
        },
        "mlflow": {"resources": SMALL},
        "networkPolicy": {"enabled": True},
    }


def secret(namespace, name, entry):
    found = json.loads(kubectl("-n", namespace, "get", "secret", name, "-o", "json"))
    return base64.b64decode(found["data"][entry]).decode()


def address(namespace, service):
    path = "jsonpath={.spec.clusterIP}"
    return kubectl("-n", namespace, "get", "service", service, "-o", path)


def test_the_chart_is_installed_and_its_pages_are_answered(
    airflow_image, namespace, endpoint, tmp_path
):
    with endpoint.bucket(prefix="") as bucket:
        file = tmp_path / "values.json"
        file.write_text(json.dumps(values_for(endpoint, bucket.bucket, airflow_image)))
        install = ("--namespace", namespace, "install", "perennial", str(CHART), "-f", str(file))

        refused = helm(*install)
        assert "there is no Secret perennial in the namespace" in refused.stderr

        key = {"AWS_ACCESS_KEY_ID": endpoint.key_id, "AWS_SECRET_ACCESS_KEY": endpoint.secret}
        subprocess.run(
            ["bash", str(CHART / "make-secret.sh"), namespace, "perennial", "perennial"],
            check=True,
            env={**os.environ, **key},
            timeout=60,
        )
        literals = [f"--from-literal={name}={value}" for name, value in key.items()]
        kubectl("-n", namespace, "create", "secret", "generic", "bucket", *literals)
        done = helm(*install, "--wait", "--wait-for-jobs", "--timeout", "8m")
        assert done.returncode == 0, done.stderr

        airflow = f"http://{address(namespace, 'perennial-airflow')}:8080"
        health = httpx.get(f"{airflow}/api/v2/monitor/health", timeout=20).json()
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        assert {health[part]["status"] for part in parts} == {"healthy"}
        password = secret(namespace, "perennial", "airflow-admin")
        log_in = {"username": "admin", "password": password}
        token = httpx.post(f"{airflow}/auth/token", json=log_in, timeout=60).json()["access_token"]
        bearer = {"authorization": f"Bearer {token}"}
        assert httpx.post(
            f"{airflow}/auth/token", json={**log_in, "password": "x"}, timeout=60
        ).status_code in {401, 403}
        until(
            lambda: (
                httpx.get(f"{airflow}/api/v2/dags", headers=bearer, timeout=20).json()[
                    "total_entries"
                ]
                > 0
            ),
            120,
        )
        page = httpx.get(f"{airflow}/perennial/", headers=bearer, timeout=60)
        assert page.status_code == 200

        mlflow = f"http://{address(namespace, 'perennial-mlflow')}:5000"
        host = {"host": "localhost"}
        assert httpx.get(mlflow, headers=host, timeout=20).status_code == 401
        auth = ("admin", secret(namespace, "perennial", "mlflow-admin"))
        assert httpx.get(mlflow, headers=host, auth=auth, timeout=20).status_code == 200
