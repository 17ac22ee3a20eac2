"""MLflow's runs that nobody needs.

Finished long ago, without a version, and no entry of the ledger speaks of them.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.ops.prune.leftover import Leftover
from pipelines.ops.prune.store_leftovers import runs_of
from pipelines.refs import canonical
from pipelines.registry.failures import mlflow_border
from pipelines.registry.mlflow import PARENT, RUN
from pipelines.settings import quiet, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.ledger import Ledger
    from pipelines.settings import Settings

_RUN_ID = re.compile(r"\b[0-9a-f]{32}\b")
PAGE = 500


def unused_runs(settings: Settings, ledger: Ledger, limit: float) -> Iterator[Leftover]:
    """Yield the runs that ended before `limit` (seconds since 1970) and that nothing refers to.

    Raises Unreachable.

    Removed, they are deleted in MLflow's sense: out of sight, restorable until `mlflow gc` takes
    them.
    """
    database = Path(settings.mlflow_uri.removeprefix("sqlite:///"))
    if settings.mlflow_uri.startswith("sqlite:///") and not database.is_file():
        return
    quiet()
    name = f"MLflow at {without_password(settings.mlflow_uri)}"
    with mlflow_border(name):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=settings.mlflow_uri, registry_uri=settings.mlflow_uri)
        entries = ledger.entries()
        mentioned_ids = {
            run_id
            for entry in entries
            for run_id in _RUN_ID.findall(canonical(entry.body).decode())
        }
        run_names = {run for entry in entries for run in runs_of(entry)}
        for model in sorted({entry.model for entry in entries}):
            experiment = client.get_experiment_by_name(model)
            if experiment is None:
                continue
            runs = all_runs(client, experiment.experiment_id)
            needed_ids = mentioned_ids | {
                v.run_id
                for v in client.search_model_versions(f"name = '{model}'", max_results=10_000)
            }
            needed_ids |= {run.info.run_id for run in runs if run.data.tags.get(RUN) in run_names}
            needed_ids |= {
                run.data.tags[PARENT]
                for run in runs
                if run.info.run_id in needed_ids and PARENT in run.data.tags
            }
            for run in runs:
                end_time = run.info.end_time
                if run.info.run_id not in needed_ids and end_time and end_time / 1_000 < limit:
                    yield Leftover(
                        "MLflow run",
                        f"{model}/{run.info.run_id}",
                        0,
                        remove=partial(_delete, name, client, run.info.run_id),
                    )


def all_runs(client: Any, experiment: str) -> list[Any]:
    """Return the runs of an experiment, however many there are."""
    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _delete(name: str, client: Any, run_id: str) -> bool:
    with mlflow_border(name):
        client.delete_run(run_id)
    return True
