"""The living loop, window by window.

Send the rows, send the labels, look for drift; the drift DAG renews the model when it must.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from demo.frozen import answers as frozen_answers
from demo.frozen import open_first_champion
from demo.live import POLL_SECONDS, WatchedRun, display
from demo.report import Month, metric_text
from demo.traffic import Client
from pipelines.intervals import containing, iso
from pipelines.science.metrics import score
from pipelines.verdicts.explanations import name_cause, name_effect
from pipelines.verdicts.words import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rich.console import Console, RenderableType

    from pipelines.bundle.load import OpenBundle
    from pipelines.context import Context
    from pipelines.intervals import Interval
    from stack.airflow_api import AirflowApi

FAILED = "failed"


@dataclass(frozen=True)
class Year:
    """One life of a model: from a moment on, so many of its batches' intervals."""

    context: Context
    api: AirflowApi
    serving_url: str
    start: datetime
    windows: int

    def live(self, console: Console) -> list[Month]:
        """Live through the windows, showing what happens, and return what came of each."""
        client = Client(self.context, self.serving_url)
        frozen = open_first_champion(self.context)
        months: list[Month] = []
        with display(console) as show:
            board = _Board(console, show, self.context.spec.train.metric, months)
            for interval in self._intervals():
                months.append(self._month(interval, client, frozen, board))
                board.show("")
        return months

    def _intervals(self) -> list[Interval]:
        intervals = []
        moment = self.start
        for _ in range(self.windows):
            interval = containing(moment, self.context.spec.timing.batch)
            intervals.append(interval)
            moment = interval.end
        return intervals

    def _month(
        self, interval: Interval, client: Client, frozen: OpenBundle, board: _Board
    ) -> Month:
        context, metric = self.context, self.context.spec.train.metric
        name = interval.name[: len("2013-03") if context.spec.batch == "month" else None]
        board.show(f"{name}: building rows")
        rows = client.rows(interval)
        answers = client.predict(
            rows, lambda n: board.show(f"{name}: {n:,} of {rows.num_rows:,} rows answered")
        )
        labels = client.send_labels(interval.end)
        board.show(f"{name}: {labels:,} labels sent; the drift DAG runs")
        table, y, p = answers.filter_labelled(context)
        run = self._drift(interval, board)
        drift, report = run.result("drift") or {}, run.result("report") or {}
        return Month(
            month=name,
            rows=rows.num_rows,
            champion_version="+".join(answers.versions),
            live_metric=round(score(metric, y, p), 4),
            frozen_metric=round(score(metric, y, frozen_answers(frozen, table)), 4),
            drift_verdict=drift.get("verdict", FAILED),
            **explain(drift),
            action=report.get("outcome", FAILED),
            words=report.get("said")
            or f"the drift run ended {run.state}; look at {run.dag_id} {run.run_id}",
            started=bool((run.result("decide") or {}).get("start")),
        )

    def _drift(self, interval: Interval, board: _Board) -> WatchedRun:
        """Trigger the drift DAG for the window and show it, and the retraining that it starts,
        until it has ended.
        """
        spec = self.context.spec
        dag_id, run_id = f"drift_{spec.name}", f"demo__{iso(interval.end)}"
        self.api.trigger(dag_id, {"window_end": iso(interval.end), "reason": "make demo"}, run_id)
        drift = WatchedRun(self.api, dag_id, run_id, spec.train.metric)
        retrain: WatchedRun | None = None
        while not drift.refresh():
            decision = drift.result("decide")
            if (
                retrain is None
                and decision
                and decision["start"]
                and drift.result("start") is not None
            ):
                retrain = WatchedRun(
                    self.api, f"retrain_{spec.name}", decision["run_id"], spec.train.metric
                )
            if retrain is not None:
                retrain.refresh()
            board.show("", drift.table(), *([retrain.table()] if retrain else []))
            time.sleep(POLL_SECONDS)
        return drift


def explain(drift: Mapping[str, Any]) -> dict[str, str]:
    """Return the effect and the cause that the drift step found, in few words."""
    effect, cause = drift.get("effect"), drift.get("cause")
    return {
        "effect": name_effect(effect["follows"]) if effect else "",
        "cause": name_cause(cause["kind"], cause.get("detail", "")) if cause else "",
    }


class _Board:
    """The table of months so far, and below it what happens now."""

    def __init__(
        self,
        console: Console,
        show: Callable[[RenderableType], None],
        metric: str,
        months: list[Month],
    ) -> None:
        self._console = console
        self._show = show
        self._metric = metric
        self._months = months
        self._lines_printed = 0

    def show(self, now: str, *below: RenderableType) -> None:
        self._show(Group(months_table(self._months, self._metric), Text(now), *below))
        if self._console.is_terminal:
            return
        # A log shows no live table: each month gets a line instead.
        for month in self._months[self._lines_printed :]:
            self._console.print(
                f"{month.month}: {month.rows:,} rows by version {month.champion_version},"
                f" {self._metric} {metric_text(month.live_metric)}"
                f" (frozen {metric_text(month.frozen_metric)});"
                f" {plain(month.drift_verdict)}; effect: {month.effect or '-'};"
                f" cause: {month.cause or '-'}; {month.words}",
                markup=False,
            )
        self._lines_printed = len(self._months)


def months_table(months: list[Month], metric: str) -> Table:
    """Return the months as people read them."""
    table = Table(title=f"The loop lives ({metric})", title_justify="left")
    for column in (
        "month",
        "rows",
        "champion",
        "live",
        "frozen first model",
        "drift verdict",
        "effect",
        "cause",
        "action",
    ):
        table.add_column(
            column, justify="right" if column in {"rows", "live", "frozen first model"} else "left"
        )
    for m in months:
        action = m.words if m.action != "nothing_to_do" else "none"
        table.add_row(
            m.month,
            f"{m.rows:,}",
            f"version {m.champion_version}",
            metric_text(m.live_metric),
            metric_text(m.frozen_metric),
            plain(m.drift_verdict),
            Text(m.effect or "-"),
            Text(m.cause or "-"),
            Text(action),
        )
    return table
