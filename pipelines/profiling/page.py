"""The HTML page of a profile: the list of columns first, then a drawing of each.

Self-contained, without scripts, all escaped; at most some 2 MB whatever the data hold.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from pipelines.profiling import plots
from pipelines.profiling.columns import SAMPLE
from pipelines.profiling.tables import MOST_COLUMNS, MOST_DETAILED, NOTICEABLE, stands_out
from pipelines.profiling.words import share_text, short, value_text
from pipelines.templates import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.profiling.profile import Profile
    from pipelines.profiling.tables import ColumnProfile, TableProfile

_TEMPLATE = Path(__file__).with_name("page.html")
_LONGEST_NAME = 60
_MOST_NOTES, _FURTHEST = 10, 8
_MISSING_MOVED = 0.05
"""From here on a changed share of missing values is told."""
_NAMED = 60
"""Columns that were left out and are named."""


def render(profile: Profile) -> str:
    """Return the page; the same profile gives the same page."""
    return fill(
        _TEMPLATE,
        title=f"Profile of {profile.model}",
        profile=profile,
        tables=[_table(t) for t in profile.tables],
        sample=SAMPLE,
        most_columns=MOST_COLUMNS,
        noticeable=NOTICEABLE,
    )


def _table(table: TableProfile) -> dict[str, Any]:
    names = [short(name, _LONGEST_NAME) for name in table.together]
    return {
        "about": table,
        "notes": _notes(table),
        "columns": [_line(c) for c in table.columns],
        "cards": [_card(c, table) for c in table.columns if c.shape is not None][:MOST_DETAILED],
        "drawn": sum(c.shape is not None for c in table.columns),
        "heat": plots.heat_map(names, table.associations) if len(names) > 1 else None,
        "left_out": [
            (short(n, _LONGEST_NAME), why) for n, why in list(table.left_out.items())[:_NAMED]
        ],
        "more_left_out": max(0, len(table.left_out) - _NAMED),
    }


def _notes(table: TableProfile) -> list[str]:
    """Return what a person should look at first, in words."""
    notes = [note for c in table.columns for note in _oddities(c)]
    far = [c for c in table.columns if stands_out(c.distances[-1], c.chances[-1])]
    far.sort(key=lambda c: -(c.distances[-1] or 0.0))
    if far:
        names = ", ".join(f"{_name(c)} ({_figure(c.distances[-1])})" for c in far[:_FURTHEST])
        more = f" and {len(far) - _FURTHEST} more" if len(far) > _FURTHEST else ""
        notes.append(f"furthest from the reference: {names}{more}")
    more_notes = len(notes) - _MOST_NOTES
    return notes if more_notes <= 0 else [*notes[:_MOST_NOTES], f"and {more_notes} more"]


def _oddities(column: ColumnProfile) -> Iterator[str]:
    """Yield what is odd about a column in the newest batch."""
    newest, earlier = column.newest, [f.missing for f in column.batches[:-1] if f is not None]
    if newest is None:
        yield f"{_name(column)} is not in the newest batch"
        return
    if not newest.rows:
        return
    if column.batches[:-1] and not earlier:
        yield f"{_name(column)} is new"
    if newest.missing == 1:
        yield f"{_name(column)} has no value in the newest batch"
    elif newest.unique == 1 and newest.rows > 1:
        yield f"{_name(column)} has one and the same value"
    if earlier and newest.missing < 1 and abs(newest.missing - median(earlier)) >= _MISSING_MOVED:
        before = share_text(median(earlier))
        yield f"{_name(column)} misses {share_text(newest.missing)}, before it was {before}"


def _name(column: ColumnProfile) -> str:
    return short(column.name, _LONGEST_NAME)


def _line(column: ColumnProfile) -> dict[str, Any]:
    """Return a column as its line in the list shows it."""
    newest = column.newest
    missing = [f.missing if f is not None else None for f in column.batches]
    return {
        "name": short(column.name, _LONGEST_NAME),
        "type": short(column.type, 40),
        "role": column.role,
        "missing": share_text(newest.missing) if newest else "not there",
        "missing_bars": (plots.small_bars(missing, "missing in each batch", width=72, height=18)),
        "unique": f"{newest.unique:,}" if newest and newest.unique is not None else "-",
        "middle": value_text(newest.quantiles[2], column.kind)
        if newest and newest.quantiles
        else _most_common(column),
        "distance": _figure(column.distances[-1]),
        "chance": _figure(column.chances[-1]),
        "moved": stands_out(column.distances[-1], column.chances[-1]),
        "with_target": _figure(column.with_target),
        "strength": round(60 * abs(column.with_target or 0.0), 1),
    }


def _most_common(column: ColumnProfile) -> str:
    newest = column.newest
    if column.shape is None or newest is None or not newest.common:
        return "-"
    return short(next(iter(newest.common)), 30)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def _card(column: ColumnProfile, table: TableProfile) -> dict[str, Any]:
    """Return a column as its drawing shows it."""
    newest, shape = column.newest, column.shape
    name = short(column.name, _LONGEST_NAME)
    missing = [f.missing if f is not None else None for f in column.batches]
    facts = []
    if newest is not None and newest.quantiles is not None:
        low, tenth, middle, ninetieth, high = (value_text(q, column.kind) for q in newest.quantiles)
        facts = [("least", low), ("10 %", tenth), ("median", middle), ("90 %", ninetieth)]
        facts += [("greatest", high)]
        if newest.mean is not None and column.kind == "number":
            facts.append(("mean", value_text(newest.mean, column.kind)))
    drifts = any(d is not None for d in column.distances)
    return {
        **_line(column),
        "facts": facts,
        "histogram": (plots.histogram(shape, column.kind, f"{name} in {table.batches[-1]}"))
        if shape is not None
        else "",
        "time": (plots.over_time(column.batches, column.kind, f"{name} by batch"))
        if column.kind == "number"
        else "",
        "missing_plot": (plots.small_bars(missing, f"missing values of {name} by batch")),
        "drift_plot": (
            plots.small_bars(
                column.distances, f"distance of {name} by batch", limits=column.chances
            )
        )
        if drifts
        else "",
    }
