"""The chart, rendered by Helm for several sets of values."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from tests.buckets import ENVIRON
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CHART = ROOT / "docker" / "chart"
HELM = shutil.which("helm")
BUCKET = {"state": {"bucket": {"url": "s3://models/state", "secret": "bucket", "ca": "ca"}}}
GOOGLE = {"state": {"bucket": {"url": "gs://our_models/state", "secret": "bucket", "ca": "ca"}}}
AZURE = {"state": {"bucket": {"url": "az://models", "account": "ours", "secret": "bucket"}}}
IN_AIRFLOW = {"place": "process", "images": {"airflow": "perennial/airflow-and-steps:1"}}
"""Steps within Airflow's pods: the image that is built for those trains nothing."""
VALUES: dict[str, dict[str, Any]] = {
    "bucket": {**BUCKET},
    "google": {**GOOGLE},
    "azure": {**AZURE, "target": "process", "mlflow": {"storageClass": "ssd"}},
    "azure for a trial": {
        **AZURE,
        "mlflow": {"storage": ""},
        "airflow": {"executor": "kubernetes"},
    },
    "claim": {"state": {"claim": "state"}, "target": "process", **IN_AIRFLOW},
    "trial": {**BUCKET, "postgres": {"inside": True, "storage": ""}},
    "celery": {
        **BUCKET,
        "postgres": {"inside": True, "storageClass": "ssd"},
        "airflow": {"executor": "celery", "workers": 3},
        "networkPolicy": {"enabled": True, "callers": {"matchLabels": {"asks": "models"}}},
    },
    "pods": {**BUCKET, "airflow": {"executor": "kubernetes"}, "networkPolicy": {"enabled": True}},
    "gateway": {
        **BUCKET,
        "gateway": {
            "enabled": True,
            "hosts": ["Models.example.org"],
            "ingress": {"host": "ask.example.org", "className": "nginx", "tlsSecret": "tls"},
        },
        "networkPolicy": {"enabled": True, "callers": {"matchLabels": {"asks": "models"}}},
    },
    "pods with a claim": {
        "state": {"claim": "state"},
        "target": "process",
        **IN_AIRFLOW,
        "airflow": {"executor": "kubernetes"},
        "signing": {"required": True, "trust": "trust"},
    },
    "elsewhere": {
        **BUCKET,
        "mlflow": {"enabled": False, "external": "https://mlflow.example.org"},
        "airflow": {"executor": "celery", "broker": "external"},
        "signing": {"required": True, "trust": "trust"},
        "personalKey": "personal",
        "images": {"pullSecret": "registry", "airflow": "registry.example.org/airflow:7"},
        "settings": {"PERENNIAL_LOG_LEVEL": "DEBUG"},
        "nodeSelector": {"pool": "perennial"},
        "tolerations": [{"key": "only", "operator": "Exists"}],
    },
}
NAMED = {"secret": "secrets", "stepsSecret": "secrets-steps"}


def helm(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run Helm; return how it ended."""
    return subprocess.run(
        [str(HELM), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env=ENVIRON,
    )


def write_values(folder: Path, values: dict[str, Any]) -> str:
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    return str(file)


def render(folder: Path, values: dict[str, Any], *options: str) -> list[dict[str, Any]]:
    """Return the objects of the chart with these values."""
    done = helm(
        "template",
        "perennial",
        str(CHART),
        "--namespace=models",
        *options,
        "-f",
        write_values(folder, values),
    )
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]
