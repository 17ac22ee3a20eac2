"""Where MLflow shows a model's runs.

MLflow opens in its view for generative AI, and its short address of a run (`#/runs/…`) leads there
too. Only an address with an experiment in it, and with `workflowType`, opens the view of training.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipelines.settings import is_web, without_password

if TYPE_CHECKING:
    from pipelines.settings import Settings

TRAINING = "workflowType=machine_learning"
ANY = "_"
"""Stands for an experiment that is not known: the run is shown, its neighbours are not."""

TIMEOUT_SECONDS = 5
_EXPERIMENT = re.compile(r"\d{1,32}")


def mlflow_address(settings: Settings) -> str | None:
    """Return MLflow's address for people's browsers; None where it has none on the web."""
    base = settings.mlflow_public_url
    return without_password(base).rstrip("/") if is_web(base) else None


def experiments_page(base: str) -> str:
    """Return the address of the list of experiments; there is one for each model."""
    return f"{base}/#/experiments?{TRAINING}"


def experiment_page(base: str, experiment: str) -> str:
    """Return the address of an experiment's runs."""
    return f"{base}/#/experiments/{experiment}/runs?{TRAINING}"


def run_page(base: str, experiment: str | None, run_id: str) -> str:
    """Return the address of a run."""
    return f"{base}/#/experiments/{experiment or ANY}/runs/{quote(run_id, safe='')}?{TRAINING}"


def find_experiment(settings: Settings, model: str) -> str | None:
    """Ask MLflow for the id of a model's experiment, which has the model's name.

    None where it has none, or where MLflow does not answer: then a link leads less far.
    """
    import httpx

    if not is_web(settings.mlflow_uri):
        return None
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    try:
        answer = httpx.get(
            f"{settings.mlflow_uri.rstrip('/')}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": model},
            auth=(user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )
        experiment_id = str(answer.raise_for_status().json()["experiment"]["experiment_id"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return experiment_id if _EXPERIMENT.fullmatch(experiment_id) else None
