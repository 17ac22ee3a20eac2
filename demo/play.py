"""The demo, act by act."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.panel import Panel

from demo.live import WatchedRun, watch
from demo.report import metric_text, report, write_report
from demo.state import begin_clean
from demo.year import FAILED, Year
from pipelines.context import Context
from pipelines.errors import PerennialError, RequestError
from pipelines.intervals import iso
from pipelines.mlflow_pages import experiments_page
from pipelines.ports import ConfiguredPorts
from pipelines.spec import load_spec
from pipelines.verdicts.words import join
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import PASSWORDS, USER, password
from stack.layout import Layout

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from demo.report import Month
    from pipelines.settings import Settings
    from pipelines.spec import Spec

START_SECONDS = 240


@dataclass(frozen=True)
class Play:
    """What the demo does: train `model` as of a moment, then live through so many windows after
    it.
    """

    settings: Settings
    model: str
    as_of: datetime
    windows: int


def play(plan: Play, console: Console) -> int:
    """Play the demo and return the exit code.

    0 when a version serves and every window came to an end.
    """
    begin = time.monotonic()
    layout = Layout(plan.settings)
    spec = load_spec(plan.settings.models, plan.model)
    if spec.drift is None:
        raise RequestError(f"{spec.name} is not watched.", remedy="add `drift` to its model.yaml.")

    def say(text: str) -> None:
        console.print(text, markup=False)

    console.rule("1. Airflow, MLflow and the server")
    begin_clean(layout, say)
    control.up(layout, os.environ, say=say, timeout_seconds=START_SECONDS)
    with AirflowApi(layout.airflow_url, USER, password(layout.secrets)) as api:
        for message in await_dags(api, [spec], timeout_seconds=START_SECONDS):
            say(message)
        console.rule(f"2. The first version: retrain_{spec.name} as of {plan.as_of:%Y-%m-%d}")
        say(spec.description)
        _first_version(api, layout, plan, spec, console)
        console.rule(
            f"3. {plan.windows} windows: traffic, labels, drift, and retraining where it must be"
        )
        context = Context(spec, plan.settings, ConfiguredPorts(plan.settings))
        months = Year(context, api, layout.serving_url, plan.as_of, plan.windows).live(console)
    seconds = time.monotonic() - begin
    console.print(_describe_end(layout, plan, spec, months, seconds))
    return 1 if any(m.action == FAILED for m in months) else 0


def _first_version(
    api: AirflowApi, layout: Layout, plan: Play, spec: Spec, console: Console
) -> None:
    dag_id, run_id = f"retrain_{spec.name}", f"demo__{plan.as_of:%Y-%m-%d}"
    api.trigger(dag_id, {"as_of": iso(plan.as_of), "reason": "make demo"}, run_id)
    address = f"{layout.airflow_url}/dags/{dag_id}/runs/{run_id}"
    console.print(address, markup=False)
    run = WatchedRun(api, dag_id, run_id, spec.train.metric)
    state = watch(run, console)
    if state != "success" or run.result("deploy") is None:
        reasons = join((run.result("gate") or {}).get("reasons", [])) or f"the run ended {state}"
        raise PerennialError(f"Nothing was deployed: {reasons}.", remedy=f"look at {address}")


def _describe_end(
    layout: Layout, plan: Play, spec: Spec, months: list[Month], seconds: float
) -> Panel:
    metric, start = spec.train.metric, f"{plan.as_of:%Y-%m-%d}"
    page = write_report(
        layout.state / "demo",
        months,
        seconds,
        title=f"A year with {spec.name}",
        description=spec.description,
        metric=metric,
        start=start,
    )
    totals = report(months, seconds)["totals"]
    text = (
        f"Mean {metric} of what served: {metric_text(totals['mean_live_metric'], 4)};"
        " of the frozen first model on the same rows:"
        f" {metric_text(totals['mean_frozen_metric'], 4)}.\n"
        f"Drift started {totals['retrains_started_by_drift']} retrainings:"
        f" {totals['deployed']} deployed, {totals['refused']} refused.\n\n"
        f"Report    {page} (and report.json)\n"
        f"Airflow   {layout.airflow_url}   user {USER}, password {password(layout.secrets)}"
        f"  ({layout.secrets / PASSWORDS})\n"
        f"Pages     {layout.airflow_url}/perennial/   validations, verdicts, drift"
        " (the same log-in)\n"
        f"MLflow    {experiments_page(layout.mlflow_url)}   no log-in, this machine only\n"
        f"API docs  {layout.serving_url}/docs   no log-in, this machine only\n\n"
        f"Who serves and why: .venv/bin/perennial status {spec.name}"
        f" · .venv/bin/perennial history {spec.name}\n"
        f"It took {seconds:.0f} s. Everything keeps running until `make down`."
    )
    return Panel(text, title="Perennial", expand=False)
