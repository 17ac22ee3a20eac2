"""Copies of Evidently's pages among MLflow's artifacts: earlier versions kept one with each run.

The store has the page, and the run's description leads to it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.ops.prune.leftover import Leftover
from pipelines.ops.prune.mlflow_runs import all_runs
from pipelines.registry.failures import mlflow_border
from pipelines.registry.mlflow import NAME
from pipelines.registry.port import DESCRIPTION
from pipelines.run_names import watch_run
from pipelines.settings import quiet, without_password
from pipelines.watch.registry_run import describe_look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings

COPY = "drift/evidently.html"
"""Where the copy lay among a run's artifacts."""
_KIND = "perennial.kind"


def page_copies(settings: Settings, ports: ConfiguredPorts, limit: float) -> Iterator[Leftover]:
    """Yield the copies with runs that ended before the limit (seconds since 1970).

    Raises Unreachable.
    """
    uri = settings.mlflow_uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        return
    quiet()
    with mlflow_border(f"MLflow at {without_password(uri)}"):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        for model in sorted({entry.model for entry in ports.ledger.entries(kind="drift")}):
            experiment = client.get_experiment_by_name(model)
            for run in all_runs(client, experiment.experiment_id) if experiment else ():
                tags, end = run.data.tags, run.info.end_time
                if tags.get(_KIND) != "drift" or DESCRIPTION in tags:
                    continue
                if not end or end / 1_000 >= limit:
                    continue
                size = ports.registry.find_artifact(run.info.run_id, COPY)
                if size is not None:
                    name = tags.get(NAME, "").removeprefix(watch_run(""))
                    remove = partial(_remove, settings, ports, model, run.info.run_id, name)
                    yield Leftover("copy of a page", f"{model}/{run.info.run_id}", size, remove)


def _remove(settings: Settings, ports: ConfiguredPorts, model: str, run_id: str, name: str) -> bool:
    ports.registry.detach(run_id, COPY)
    words = describe_look(settings, model, name, evidently=True)
    ports.registry.log(run_id, params={}, metrics={}, tags={DESCRIPTION: words})
    return True
