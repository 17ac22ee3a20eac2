"""The demo, act by act."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table

from pipelines.errors import PerennialError
from pipelines.intervals import Interval, iso
from pipelines.spec import load_spec
from pipelines.steps.context import Context, EmbeddedPorts
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.demo.live import watch
from stack.demo.state import begin_clean
from stack.demo.traffic import Answered, ask
from stack.keys import PASSWORDS, USER, password
from stack.layout import Layout

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from pipelines.settings import Settings

SHOWN = 12
START_SECONDS = 240


@dataclass(frozen=True)
class Play:
    """What the demo does: retrain `model` as of a moment, then ask it about the rows up to `until`."""

    settings: Settings
    model: str
    as_of: datetime
    until: datetime


def play(wanted: Play, console: Console) -> int:
    """Play the demo and return the exit code: 0 when a version serves."""
    begin = time.monotonic()
    layout = Layout(wanted.settings)
    say = _sayer(console)
    spec = load_spec(wanted.settings.models, wanted.model)
    dag_id, run_id = f"retrain_{spec.name}", f"demo__{wanted.as_of:%Y-%m-%d}"

    console.rule("1. Airflow, MLflow and the server")
    begin_clean(layout, say)
    control.up(layout, os.environ, say=say, timeout_seconds=START_SECONDS)
    with AirflowApi(layout.airflow_url, USER, password(layout.secrets)) as api:
        for message in await_dags(api, [spec.name], timeout_seconds=START_SECONDS):
            say(message)
        console.rule(f"2. {dag_id} as of {wanted.as_of:%Y-%m-%d}")
        say(spec.description)
        api.trigger(dag_id, {"as_of": iso(wanted.as_of), "reason": "make demo"}, run_id)
        say(f"{layout.airflow_url}/dags/{dag_id}/runs/{run_id}")
        state = watch(api, dag_id, run_id, console, metric=spec.train.metric)
        verdict = api.result(dag_id, run_id, "gate")
        if state != "success" or api.result(dag_id, run_id, "deploy") is None:
            reasons = "; ".join((verdict or {}).get("reasons", [])) or f"the run ended {state}"
            raise PerennialError(f"Nothing was deployed: {reasons}.", remedy=f"look at {layout.airflow_url}/dags/{dag_id}/runs/{run_id}")

    console.rule("3. What it says of the days after, and what happened")
    context = Context(spec, wanted.settings, EmbeddedPorts(wanted.settings))
    answers = ask(context, layout.serving_url, Interval(start=wanted.as_of, end=wanted.until))
    console.print(_predictions(answers))
    say(_live_score(answers, spec.task))
    console.print(_ending(layout, spec.name, verdict, time.monotonic() - begin))
    return 0


def _sayer(console: Console):  # noqa: ANN202 -- a function that says
    return lambda text: console.print(text, markup=False)


def _predictions(answers: list[Answered]) -> Table:
    """Some of the answers, spread over the whole time."""
    known = [a for a in answers if a.happened is not None]
    step = max(1, len(known) // SHOWN)
    inputs = list(known[0].inputs)[:4]
    table = Table(title=f"{len(answers):,} rows answered; {SHOWN} of them", title_justify="left")
    for column in ("when (UTC)", "key", *inputs, "predicted", "happened"):
        table.add_column(column)
    for a in known[::step][:SHOWN]:
        table.add_row(f"{a.time:%m-%d %H:%M}", a.key, *(str(a.inputs[i]) for i in inputs), f"{a.prediction:.2f}", f"{a.happened:g}")
    return table


def _live_score(answers: list[Answered], task: str) -> str:
    """Return how good the predictions were, now that one knows."""
    import numpy as np
    from sklearn.metrics import mean_absolute_error, roc_auc_score

    known = [a for a in answers if a.happened is not None]
    y, p = np.array([a.happened for a in known]), np.array([a.prediction for a in known])
    said = f"On {len(known):,} rows whose outcome is known:"
    if task == "binary":
        return f"{said} ROC AUC {roc_auc_score(y, p):.3f}; {p.mean():.1%} were expected to come true, {y.mean():.1%} did."
    return f"{said} mean absolute error {mean_absolute_error(y, p):.2f}, mean {y.mean():.2f}."


def _ending(layout: Layout, model: str, verdict: dict, seconds: float) -> Panel:  # type: ignore[type-arg] # JSON
    checks = "\n".join(f"  {'pass' if c['passed'] else 'FAIL'}  {c['detail']}" for c in verdict["checks"])
    text = (
        f"The gate says: {verdict['verdict']} {verdict['candidate']} as version {verdict['version']}.\n{checks}\n\n"
        f"Airflow   {layout.airflow_url}   user {USER}, password {password(layout.secrets)}  ({layout.secrets / PASSWORDS})\n"
        f"MLflow    {layout.mlflow_url}   no log-in, this machine only\n"
        f"API docs  {layout.serving_url}/docs   no log-in, this machine only\n\n"
        f"Who serves and why: .venv/bin/perennial status {model} · .venv/bin/perennial history {model}\n"
        f"It took {seconds:.0f} s. Everything keeps running until `make down`."
    )
    return Panel(text, title="Perennial", expand=False)
