"""What is behind a window that differs: one function from the rows of both sides to a cause.

A broken pipe comes first, because it explains more exactly than anything else: a sign names what
happened, and what is left is little. Then the season, which rows of the same season show; then
other rows (a population) or other outcomes for the same rows (a concept). What cannot be told is
`unclear`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.categories import find_categories
from pipelines.science.causes.cause import Break, Cause
from pipelines.science.causes.clock import find_clock
from pipelines.science.causes.concepts import compare_losses, find_concept, find_late_answers
from pipelines.science.causes.conversions import find_conversions
from pipelines.science.causes.gaps import find_gaps
from pipelines.science.causes.repeats import find_repeats
from pipelines.science.causes.rounding import find_rounding
from pipelines.science.causes.runs import find_runs
from pipelines.science.causes.seasons import how_far_season, is_of_calendar, match_season
from pipelines.science.causes.sentences import describe_shift
from pipelines.science.causes.sentinels import find_sentinels
from pipelines.science.causes.shift import LEAST_DEGREES, combine, degrees
from pipelines.science.causes.stuck import find_stuck
from pipelines.science.causes.view import MOST_ROWS, View, thin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.labels import LossChange
    from pipelines.science.causes.shift import Shift
    from pipelines.science.changes.facts import Changes, Sample

    Array = NDArray[Any]

_MOVED = 0.01
"""The probability that an unchanged window is called one of another population, all columns
together..."""
_MOVED_BY_SEASON, _ONE_SEASON = 0.1, 0.6
"""...and one of a season where this share of its months and weekends is not the reference's: days
of one season need less of a proof that they are like it."""
LEAST_ROWS, LEAST_PAST = 30, 100
"""Rows of the window and of the reference without which no cause is named."""
_TOGETHER = 0.05
"""Columns that are named where only all of them together have moved."""
_SEASONAL = 0.3
"""The window's months or weekends differ from the reference's by this share of days at least..."""
_EXPLAINED, _MOSTLY = 0.6, 0.4
"""...and beside rows of the same season at most this part of the distance is left; the second where
what is left is still more than days alone make."""
_LEFT_LEVEL = 0.01
"""What is left beside rows of the same season is more than days alone make below this p-value."""
_NEW = 3.0
"""The standard errors by which there are more texts than the past has, none of which it holds."""
_NAMED = 3
_SURE = 0.3
"""The share of the rows beyond which a sign is sure by itself."""


def name_cause(
    window: Sample,
    reference: Sample,
    changes: Changes | None = None,
    *,
    labelled: tuple[Sample, Sample] | None = None,
    seed: int = 0,
) -> Cause:
    """Return what is behind the window's difference from the reference.

    `changes` say whether there is one, where its tests are at hand; without them it is measured
    here. Their word decides between nothing and something, never what it is. `labelled`
    are the window's and the past's labelled rows, where they are others than those of the samples;
    without their columns a loss cannot be laid to other rows.
    """
    view = View(thin(window, MOST_ROWS, seed), thin(reference, MOST_ROWS, seed))
    untold = _why_untold(view)
    if untold:
        return Cause("unclear", [untold], sureness="possible")
    breaks = sorted(find_breaks(view, seed), key=lambda b: -b.strength)
    if breaks:
        return _tell_broken(breaks)
    moved = _find_moved(view, changes)
    off = _find_clock_alone(view, moved, seed)
    if off is not None:
        return _tell_broken([off])
    losses = compare_losses(view, moved, labelled, seed)
    concept = find_concept(view, moved, losses, labelled, seed)
    if concept is not None:
        late = find_late_answers(view, labelled, seed)
        return concept if late is None else _tell_broken([late])
    by_days = moved or _columns_moved(view.shifts_by_days, _level(view, changes))
    season = _season(view, by_days)
    if season is not None:
        return season
    return _population(view, moved, losses) if moved else _nothing(view, changes, losses)


def find_breaks(view: View, seed: int) -> list[Break]:
    """Return every sign of a broken pipe."""
    return [
        *find_repeats(view, seed),
        *find_gaps(view),
        *find_sentinels(view),
        *find_categories(view),
        *find_runs(view),
        *find_stuck(view),
        *find_conversions(view),
        *find_rounding(view, seed),
        *find_clock(view, seed),
    ]


def _why_untold(view: View) -> str:
    """Return why no cause can be named; "" where one can."""
    if not view.names:
        return "no column is on both sides in the same form"
    if view.window.rows < LEAST_ROWS:
        return f"the window holds {view.window.rows:,} rows; a cause needs {LEAST_ROWS}"
    if view.reference.rows < LEAST_PAST:
        return f"the reference holds {view.reference.rows:,} rows; a cause needs {LEAST_PAST}"
    return ""


def _tell_broken(breaks: list[Break]) -> Cause:
    first = breaks[0]
    further = [b for b in breaks[1:] if not set(b.columns) & set(first.columns)]
    return Cause(
        "broken_upstream",
        [b.words for b in [first, *further][:_NAMED]],
        first.detail,
        first.columns,
        "sure" if first.is_sure or first.strength > _SURE else "likely",
    )


def _find_moved(view: View, changes: Changes | None) -> list[str]:
    """Return the columns that have moved by more than days do, the furthest first."""
    if changes is not None:
        families = [f for f in changes.families if f.family in ("missing", "inputs", "together")]
        names = [c.name for f in families if f.said == "changed" for c in f.columns if c.changed]
        told = any(f.said != "cannot_be_said" for f in families)
        if told:
            known = [n for n in dict.fromkeys(names) if n in view.shifts]
            if not known and any(f.said == "changed" for f in families):
                known = view.names
            return sorted(known, key=lambda n: -view.shifts[n].distance)
    return _columns_moved(view.shifts)


def _level(view: View, changes: Changes | None) -> float:
    """Return how improbable a shift must be that may be a season's."""
    is_one = changes is None and how_far_season(view) >= _ONE_SEASON
    return _MOVED_BY_SEASON if is_one else _MOVED


def _find_clock_alone(view: View, moved: list[str], seed: int) -> Break | None:
    """Return the sign of a wrong clock where nothing has moved but what is made from the time: rows
    that come at other hours look like it, so less of a proof is needed.
    """
    times = view.reference.times
    if times is None or not moved:
        return None
    for name in moved:
        values = view.reference.columns[name]
        if values.dtype == object or not is_of_calendar(values, times):
            return None
    return next(find_clock(view, seed, is_alone=True), None)


def _columns_moved(all_shifts: dict[str, Shift], level: float = _MOVED) -> list[str]:
    shifts = {n: s for n, s in all_shifts.items() if s.p_value < 1}
    if combine(np.array([s.p_value for s in shifts.values()])) >= level:
        return []
    moved = [n for n, s in shifts.items() if s.p_value * len(shifts) < level]
    moved = moved or [n for n, s in shifts.items() if s.p_value < max(_TOGETHER, level)]
    return sorted(moved, key=lambda n: -shifts[n].distance)


def _nothing(view: View, changes: Changes | None, losses: LossChange | None) -> Cause:
    furthest = max(view.shifts, key=lambda n: view.shifts[n].distance)
    if changes is None and degrees(*view.blocks) < LEAST_DEGREES:
        words = (
            f"the reference holds {degrees(*view.blocks) + 1:.1f} stretches as long as the window:"
            f" whether {furthest}, which has moved furthest, has moved more than usual cannot be"
            " told"
        )
        return Cause("unclear", [words], sureness="possible")
    words = (
        f"no column has moved by more than its days do; {furthest} moved furthest"
        f" ({view.shifts[furthest].distance:.1%} of its rows)"
    )
    same = (
        []
        if losses is None
        else [f"the mean loss is {losses.now:.4g} ({losses.before:.4g} before)"]
    )
    return Cause("nothing", [words, *same])


def _season(view: View, moved: list[str]) -> Cause | None:
    """Return the season as the cause; None where rows of the same season differ too."""
    if not moved or how_far_season(view) < _SEASONAL or _holds_new_texts(view, moved):
        return None
    weights = match_season(view)
    if weights is None:
        words = (
            "the reference holds too few days of the window's months to tell a season from other"
            " rows"
        )
        return Cause(
            "unclear",
            [words, *(describe_shift(view, n) for n in moved[:_NAMED])],
            columns=moved,
            sureness="possible",
        )
    matched, plain = view.measure(weights, stretch=False), view.shifts_by_days
    stretches = view.measure(weights)
    left = combine(np.array([s.p_value for s in stretches.values()])) < _LEFT_LEVEL
    before = sum(max(s.distance - s.noise, 0.0) for n, s in plain.items() if n in moved)
    after = sum(max(s.distance - s.noise, 0.0) for n, s in matched.items() if n in moved)
    if after > (_MOSTLY if left else _EXPLAINED) * before:
        return None
    first = moved[0]
    words = (
        f"{first} has moved for {view.shifts[first].distance:.1%} of the rows, and for"
        f" {matched[first].distance:.1%} beside rows of the same months and days of the week"
    )
    return Cause("season", [words, *(describe_shift(view, n) for n in moved[:2])], columns=moved)


def _holds_new_texts(view: View, moved: list[str]) -> bool:
    """Tell whether a column has moved to texts that no season of the past has."""
    texts = [n for n in moved if view.cells[n].edges is None]
    return any(view.shifts[n].z[view.cells[n].unseen] > _NEW for n in texts)


def _population(view: View, moved: list[str], losses: LossChange | None) -> Cause:
    evidence = [describe_shift(view, n) for n in moved[:_NAMED]]
    if losses is not None:
        evidence.append(
            f"the mean loss is {losses.now:.4g}, as such rows let expect ({losses.weighted:.4g})"
        )
    return Cause("population", evidence, columns=moved)
