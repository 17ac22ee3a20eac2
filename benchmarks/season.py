"""How often a real month is called changed beside months of its own season, and beside all months.

`python -m benchmarks.season` from the checkout.

Each month that had a like month a year before is held against all that came before it, by the
function of the drift step: the inputs against what the champion was fitted on, its answers and
errors against those of its ancestor on the two months that were held out. Once the reference is
matched by season (`drift.season: auto`), once it is the whole past, and once it is the six months
before, where no month is alike and only days of the week and hours are matched. Dates are no
inputs here: of a year that was never seen everything is new.

Nothing is asked: nobody knows in which months something had truly changed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks.report import Measure, show, write
from benchmarks.watching.past_months import HELD, fit, load_months, truth_of
from benchmarks.watching.worlds import take
from pipelines.bundle.schema import Column, InputSchema
from pipelines.science.changes.facts import Changes, Sample
from pipelines.science.row_losses import row_losses
from pipelines.spec.drift import Drift
from pipelines.watch.families import Tested, find_all
from pipelines.watch.reference import ROWS
from pipelines.watch.sides import ChampionReference, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.tasks import Task

Array = np.ndarray[Any, Any]
TASKS: dict[str, tuple[Task, str]] = {
    "bike_sharing": ("regression", "mae"),
    "hotel_bookings": ("binary", "roc_auc"),
    "metro_traffic": ("regression", "mae"),
}
YEAR = 12
RECENT = 6
"""Months that the shipped models learn from: none of them is of the window's season."""
RULES = Drift(schedule="monthly", season="auto")
FAMILIES = {
    "missing": "missing values",
    "inputs": "each input",
    "together": "inputs together",
    "predictions": "answers",
    "performance": "errors",
}
INPUTS = ("missing", "inputs", "together")


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write after each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="one month, to see that it runs")
    options = parser.parse_args(argv)
    measures: list[Measure] = []
    for name in TASKS:
        measures += measure(name, tiny=options.tiny)
        if not options.tiny:
            write("season", measures)
        elif measures:
            break
    show("Season", measures)
    return 0


def measure(name: str, *, tiny: bool = False) -> list[Measure]:
    """Return the shares of the months of the second year, and of those after it."""
    found = load_months(name)
    if found is None:
        print(f"{name} is not at hand (see PERENNIAL_DATA) and is left out")
        return []
    everything, months, whole = found
    asked = [month for month in whole if month - YEAR in whole and month - HELD in whole]
    year = [month for month in asked if month < whole[0] + 2 * YEAR]
    later = [month for month in asked if month >= whole[0] + 2 * YEAR]
    measures: list[Measure] = []
    for words, these in (("second year", year), ("later years", [] if tiny else later)):
        if not these:
            continue
        seen: Counter[str] = Counter()
        for month in these[:1] if tiny else these:
            seen.update(_look(everything, months, whole, month, *TASKS[name]))
            print(f"{name} {month}: {dict(seen)}", flush=True)
        measures += _shares(f"{name}, {words}", seen)
    return measures


def _shares(title: str, seen: Counter[str]) -> list[Measure]:
    count = seen.pop("months")
    words = f"{title}, {count} months: "
    return [
        {"measure": f"{words}{what}", "value": round(n / count, 4), "unit": "share", "asked": ""}
        for what, n in sorted(seen.items())
    ]


def _look(
    everything: Sample, months: Array, whole: list[Any], month: Any, task: Task, metric: str
) -> Counter[str]:
    """Return what was said of a month, each once for each of both references."""
    before = [m for m in whole if m < month]
    held = take(everything, np.isin(months, before[-HELD:]))
    past = take(everything, np.isin(months, before[:-HELD]))
    window, both = take(everything, months == month), take(everything, months < month)
    ancestor, champion = (fit(rows, classify=task == "binary") for rows in (past, both))
    answered = [(window, champion(window)), (held, ancestor(held))]
    mine = Sample(window.columns, window.times)
    tested = Tested(
        columns=[_column(name, values) for name, values in window.columns.items()],
        inputs=(mine, _keep_as_bundle(both)),
        predictions=_sides(Sample({}, rows.times, predictions=p) for rows, p in answered),
        losses=_sides(_losses(rows, p, task, metric) for rows, p in answered),
        why={},
        flags=False,
    )
    champion_of = _reference(task, metric, tested.columns)
    found = find_all(RULES, tested, champion_of, seed=1)
    recent = _keep_as_bundle(take(everything, np.isin(months, before[-RECENT:])))
    half = find_all(RULES, replace(tested, inputs=(mine, recent)), champion_of, seed=1)
    seen: Counter[str] = Counter(months=1)
    seen["matched by month"] += "month" in found.words.split(" of the past")[0]
    sides = (
        ("matched", found.changes),
        ("the whole past", found.whole or found.changes),
        ("six months", half.changes),
    )
    for words, changes in sides:
        seen.update({f"{what}, {words}": int(n) for what, n in _tell_families(changes).items()})
    return seen


def _tell_families(changes: Changes) -> dict[str, bool]:
    by_name = {family.family: family.said for family in changes.families}
    said = {f"{words} changed": by_name.get(f) == "changed" for f, words in FAMILIES.items()}
    untold = {
        f"{words} cannot be said": by_name.get(f) == "cannot_be_said"
        for f, words in FAMILIES.items()
    }
    any_input = any(by_name.get(family) == "changed" for family in INPUTS)
    return {"changed": changes.said == "changed", "inputs changed": any_input} | said | untold


def _keep_as_bundle(rows: Sample) -> Sample:
    """Return the inputs of what was learnt from, as a bundle keeps them."""
    kept = Sample(rows.columns, rows.times)
    if rows.rows <= ROWS:
        return kept
    picks = np.random.default_rng(1).choice(rows.rows, ROWS, replace=False)
    return kept.take(np.sort(picks))


def _losses(rows: Sample, answers: Array, task: Task, metric: str) -> Sample:
    known = np.isfinite(truth_of(rows))
    assert rows.times is not None
    losses = row_losses(metric, task, truth_of(rows)[known], answers[known])
    return Sample({}, rows.times[known], losses=losses)


def _sides(samples: Iterator[Sample]) -> tuple[Sample, Sample]:
    window, reference = samples
    return window, reference


def _column(name: str, values: Array) -> Column:
    return Column(name=name, kind="string" if values.dtype == object else "number", nullable=True)


def _reference(task: Task, metric: str, columns: list[Column]) -> ChampionReference:
    """Return what the tests ask of a champion: how long its rows are alike."""
    nothing = partial(Rows, pa.table({}))
    return ChampionReference(
        schema=InputSchema(task=task, columns=columns),
        reference=nothing(np.zeros(0)),
        metric=metric,
        expected=None,
        task=task,
    )


if __name__ == "__main__":
    sys.exit(main())
