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
from pipelines.science.causes.conversions import find_conversions
from pipelines.science.causes.following import Following, measure_following
from pipelines.science.causes.gaps import find_gaps
from pipelines.science.causes.labels import LossChange, measure_losses
from pipelines.science.causes.repeats import find_repeats
from pipelines.science.causes.rounding import find_rounding
from pipelines.science.causes.seasons import how_far_season, match_season
from pipelines.science.causes.sentences import describe_shift
from pipelines.science.causes.sentinels import find_sentinels
from pipelines.science.causes.shift import LEAST_DEGREES, combine, degrees
from pipelines.science.causes.stuck import find_stuck
from pipelines.science.causes.view import MOST_ROWS, View, thin
from pipelines.science.causes.weights import weigh_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.shift import Shift
    from pipelines.science.changes.facts import Changes, Sample

    Array = NDArray[Any]

LEVEL = 0.01
"""The probability that an unchanged window is called one of another population, all columns
together; the same again that it is called one of another concept."""
LEAST_ROWS, LEAST_PAST = 30, 100
"""Rows of the window and of the reference without which no cause is named."""
_BY_LOSSES = 0.05
"""A loss that differs by a smaller part is no other concept."""
_TOGETHER = 0.05
"""Columns that are named where only all of them together have moved."""
_SEASONAL = 0.3
"""The window's months or weekends differ from the reference's by this share of days at least..."""
_EXPLAINED, _MOSTLY = 0.6, 0.4
"""...and beside rows of the same season at most this part of the distance is left; the second where
what is left is still more than days alone make."""
_NAMED = 3
_SURE = 0.3
"""The share of the rows beyond which a sign is sure by itself."""
_LESS, _LESS_OF_OTHERS = -0.15, -0.3
"""Where outcomes follow the answers less by a smaller part, the concept is the same; the second
where other rows come, whose outcomes may follow less than others' do.
"""


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
    here, at `LEVEL`. Their word decides between nothing and something, never what it is. `labelled`
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
    losses = _losses(view, moved, labelled, seed)
    concept = _other_concept(view, moved, losses, labelled, seed)
    if concept is not None:
        return concept
    season = _season(view, moved or _columns_moved(view.shifts_by_days))
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


def _columns_moved(all_shifts: dict[str, Shift]) -> list[str]:
    shifts = {n: s for n, s in all_shifts.items() if s.p_value < 1}
    if combine(np.array([s.p_value for s in shifts.values()])) >= LEVEL:
        return []
    moved = [n for n, s in shifts.items() if s.p_value * len(shifts) < LEVEL]
    moved = moved or [n for n, s in shifts.items() if s.p_value < _TOGETHER]
    return sorted(moved, key=lambda n: -shifts[n].distance)


def _losses(
    view: View, moved: list[str], labelled: tuple[Sample, Sample] | None, seed: int
) -> LossChange | None:
    """Return how the losses changed, beside what other rows explain of it."""
    if labelled is not None:
        both = View(*(thin(side, MOST_ROWS, seed) for side in labelled))
        return measure_losses(both, None, np.ones(both.window.rows, dtype=bool))
    usable = np.ones(view.window.rows, dtype=bool)
    for name in moved:
        cells = view.cells[name]
        if cells.edges is None:
            usable &= view.codes[name][0] != cells.unseen
    return measure_losses(view, weigh_rows(view, seed) if moved else None, usable)


def _tell_concept(view: View, moved: list[str], losses: LossChange) -> Cause:
    than = "the rows explain" if moved else "in training's time"
    words = (
        f"the mean loss is {losses.now:.4g}, and {losses.weighted:.4g} was to be expected of such"
        f" rows ({losses.before:.4g} before): {losses.relative:+.0%} against what {than}"
    )
    inputs = [describe_shift(view, n) for n in moved[: _NAMED - 1]]
    if not inputs:
        inputs = ["no input has moved by more than its days do"]
    return Cause("concept", [words, *inputs], columns=moved)


def _other_concept(
    view: View,
    moved: list[str],
    losses: LossChange | None,
    labelled: tuple[Sample, Sample] | None,
    seed: int,
) -> Cause | None:
    """Return that the same rows have other outcomes, or that it cannot be told from other rows;
    None where nothing speaks for it.
    """
    cannot_tell = bool(moved) and labelled is not None
    if losses is not None and losses.p_value < LEVEL and abs(losses.relative) > _BY_LOSSES:
        return _either(view, moved, losses) if cannot_tell else _tell_concept(view, moved, losses)
    follows, least = None, _LESS_OF_OTHERS if moved else _LESS
    if not cannot_tell:
        follows = _following(view, labelled, seed)
    if follows is not None and follows.p_value < LEVEL and follows.relative < least:
        return _tell_unfollowed(view, moved, follows)
    return None


def _following(view: View, labelled: tuple[Sample, Sample] | None, seed: int) -> Following | None:
    """Return how outcomes follow the answers, of the labelled rows where they are others."""
    if labelled is not None:
        view = View(*(thin(side, MOST_ROWS, seed) for side in labelled))
    return measure_following(view)


def _tell_unfollowed(view: View, moved: list[str], follows: Following) -> Cause:
    words = (
        f"outcomes rise by {follows.now:.2f} with an answer that rises by 1 on the same day, and by"
        f" {follows.before:.2f} before: {follows.relative:+.0%}"
    )
    inputs = [describe_shift(view, n) for n in moved[: _NAMED - 1]]
    return Cause("concept", [words, *inputs], columns=moved)


def _either(view: View, moved: list[str], losses: LossChange) -> Cause:
    words = (
        f"the mean loss is {losses.now:.4g} ({losses.before:.4g} on the held-out rows), and inputs"
        " have moved: whether other rows or another concept is behind it cannot be told, because"
        " the held-out rows' inputs are not kept"
    )
    evidence = [words, *(describe_shift(view, n) for n in moved[:2])]
    return Cause("unclear", evidence, columns=moved, sureness="possible")


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
    if not moved or how_far_season(view) < _SEASONAL:
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
    left = combine(np.array([s.p_value for s in stretches.values()])) < LEVEL
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


def _population(view: View, moved: list[str], losses: LossChange | None) -> Cause:
    evidence = [describe_shift(view, n) for n in moved[:_NAMED]]
    if losses is not None:
        evidence.append(
            f"the mean loss is {losses.now:.4g}, as such rows let expect ({losses.weighted:.4g})"
        )
    return Cause("population", evidence, columns=moved)
