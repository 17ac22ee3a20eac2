"""The HTML page of a replay: complete in itself, without scripts, everything escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.comparison import page as comparison_page
from pipelines.comparison.scales import number_text
from pipelines.replay import plots
from pipelines.replay.words import advice_lines
from pipelines.replay.workroom import FOLDER
from pipelines.store.local import LocalStore
from pipelines.templates import fill

if TYPE_CHECKING:
    from pipelines.replay.outcome import PolicyOutcome
    from pipelines.replay.replaying import Replayed
    from pipelines.settings import Settings

_TEMPLATE = Path(__file__).with_name("page.html")
_STYLE = Path(comparison_page.__file__).with_name("style.css")
_MOST_LINES = 400
"""Batches that are listed one by one; the JSON has all."""


def render(found: Replayed) -> str:
    """Return the page; the same replay gives the same page but for its seconds."""
    outcome, costs = found.outcome, found.costs
    return fill(
        _TEMPLATE,
        title=f"{outcome.model}: its past under {len(outcome.policies)} policies",
        style=_STYLE.read_text(encoding="utf-8"),
        outcome=outcome,
        advice=advice_lines(outcome),
        policies=[
            _line(place, policy, sum(costs.by_policy.get(policy.name, [])))
            for place, policy in enumerate(outcome.policies)
        ],
        together=f"{costs.together:,.0f}",
        over_time=plots.over_time(outcome),
        regret=plots.regret_over_time(outcome),
        decisions=plots.decisions(outcome),
        batches=_batches(found)[:_MOST_LINES],
        left_out=max(0, len(outcome.intervals) - _MOST_LINES),
    )


def write_page(settings: Settings, found: Replayed) -> Path:
    """Write the page below the replay's own folder, and return where it is."""
    store = LocalStore(settings.state / FOLDER / found.outcome.model / "store")
    return store.path(store.put(render(found).encode(), ".html"))


def _line(place: int, policy: PolicyOutcome, seconds: float) -> dict[str, Any]:
    return {
        "colour": place % plots.CURVES,
        "name": policy.name,
        "own": policy.own,
        "mean": _figure(policy.mean),
        "regret": _figure(policy.regret),
        "in_hindsight": _figure(policy.in_hindsight),
        "retrainings": policy.retrainings,
        "refusals": policy.refusals,
        "failures": policy.failures,
        "alarms": "-" if policy.alarms is None else policy.alarms,
        "seconds": f"{seconds:,.0f}",
    }


def _batches(found: Replayed) -> list[dict[str, Any]]:
    outcome = found.outcome
    lines = []
    for place, interval in enumerate(outcome.intervals):
        cells = [policy.batches[place] for policy in outcome.policies]
        lines.append(
            {
                "name": interval.name,
                "best": _figure(outcome.best[place]),
                "cells": [(_figure(c.score), _short(c)) for c in cells],
            }
        )
    return lines


def _short(cell: Any) -> str:
    if cell.failed:
        return "no challenger"
    if cell.refused:
        return "refused"
    if cell.retrained:
        return "retrained"
    return "alarm" if cell.alarm else ""


def _figure(value: float | None) -> str:
    return "-" if value is None else number_text(value)
