"""The registry's run of a look at a window: its metrics, its pages, its end.

It is another one than a retraining's of the same name.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.airflow_pages import run_page
from pipelines.intervals import iso
from pipelines.registry.port import DESCRIPTION
from pipelines.run_names import watch_run
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.intervals import Interval
    from pipelines.messages import DriftResult
    from pipelines.refs import Ref
    from pipelines.settings import Settings
    from pipelines.store.port import Store

PAGE_NAME = "Evidently's page"
"""What a link to it is called."""


def open_run(context: Context, run: str, window: Interval) -> str:
    """Open the run in the registry; the same name finds the same run."""
    span = f"{iso(window.start)} to {iso(window.end)}"
    tags = {"perennial.kind": "drift", "window": span, **context.image}
    return context.ports.registry.parent(context.spec.name, watch_run(run), tags)


def log_run(
    context: Context, run: str, result: DriftResult, figures: dict[str, Any], *, evidently: bool
) -> None:
    """Log a verdict with its figures and page, and end the run; again changes nothing.

    Evidently's page is kept in the store alone: the run's description leads there.
    """
    registry, store, run_id = context.ports.registry, context.ports.store, result.run_id
    tags = {
        "verdict": result.verdict,
        "reasons": join(result.reasons),
        "champion": result.champion or "",
        "source": result.source,
        **({"cause": result.cause.kind} if result.cause else {}),
        **({"effect": result.effect.follows} if result.effect else {}),
        DESCRIPTION: describe_look(context.settings, context.spec.name, run, evidently=evidently),
    }
    registry.log(run_id, params={}, metrics=_metrics(figures), tags=tags)
    _attach(context, run_id, {"drift.html": result.page, "figures.json": result.figures}, store)
    if registry.state(run_id) != "FINISHED":
        registry.close(run_id, "FINISHED")


def describe_look(settings: Settings, model: str, run: str, *, evidently: bool) -> str:
    """Return what MLflow says of the run: where Airflow shows its pages, as Markdown."""
    pages = {"The page of this check": "drift", **({PAGE_NAME: "evidently"} if evidently else {})}
    links = [f"[{name}]({run_page(settings, model, kind, run)})" for name, kind in pages.items()]
    return "Pages in Airflow: " + ", ".join(links) + "."


def _attach(context: Context, run_id: str, files: dict[str, Ref], store: Store) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, ref in files.items():
            file = Path(folder) / name
            file.write_bytes(store.get(ref))
            context.ports.registry.attach(run_id, file, "drift")


def _metrics(figures: dict[str, Any]) -> dict[str, float]:
    """Return what the registry keeps as metrics: what has a value."""
    facts = figures["facts"]
    scored_columns = [c for c in facts["columns"] if c["score"] is not None]
    live = facts["performance"] or {}
    numbers = {
        "rows": facts["rows"],
        "coverage": figures["coverage"],
        "live": live.get("live"),
        "expected": figures["expected"],
        "drifted_share": sum(c["drifted"] for c in scored_columns) / len(scored_columns)
        if scored_columns
        else None,
        "drift_of_predictions": (facts["predictions"] or {}).get("score"),
        **{f"drift.{c['name']}": c["score"] for c in scored_columns},
    }
    return {name: float(value) for name, value in numbers.items() if value is not None}
