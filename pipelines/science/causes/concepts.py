"""Other outcomes for the same rows: by losses that the rows do not explain, or by outcomes that
follow the answers less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.science.causes.cause import Break, Cause
from pipelines.science.causes.clock import STRENGTH
from pipelines.science.causes.following import Following, measure_following
from pipelines.science.causes.labels import LossChange, measure_losses
from pipelines.science.causes.late_outcomes import find_late_outcomes
from pipelines.science.causes.sentences import describe_shift
from pipelines.science.causes.view import MOST_ROWS, View, thin
from pipelines.science.causes.weights import weigh_rows

if TYPE_CHECKING:
    from pipelines.science.changes.facts import Sample

_LEVEL = 0.01
"""The probability that an unchanged window is called one of another concept, by each of two
signs."""
_BY_LOSSES = 0.05
"""A loss that differs by a smaller part is no other concept."""
_LESS, _LESS_OF_OTHERS = -0.15, -0.3
"""Where outcomes follow the answers less by a smaller part, the concept is the same; the second
where other rows come, whose outcomes may follow less than others' do.
"""
_NAMED = 2
"""Inputs that are told beside the losses."""


def compare_losses(
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


def find_late_answers(
    view: View, labelled: tuple[Sample, Sample] | None, seed: int
) -> Break | None:
    """Return the sign that answers are wrong as those of another hour."""
    if labelled is not None:
        view = View(*(thin(side, MOST_ROWS, seed) for side in labelled))
    return find_late_outcomes(view, STRENGTH)


def _tell_concept(view: View, moved: list[str], losses: LossChange) -> Cause:
    than = "the rows explain" if moved else "in training's time"
    words = (
        f"the mean loss is {losses.now:.4g}, and {losses.weighted:.4g} was to be expected of such"
        f" rows ({losses.before:.4g} before): {losses.relative:+.0%} against what {than}"
    )
    inputs = [describe_shift(view, n) for n in moved[:_NAMED]]
    if not inputs:
        inputs = ["no input has moved by more than its days do"]
    return Cause("concept", [words, *inputs], columns=moved)


def find_concept(
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
    if losses is not None and losses.p_value < _LEVEL and abs(losses.relative) > _BY_LOSSES:
        return _either(view, moved, losses) if cannot_tell else _tell_concept(view, moved, losses)
    follows, least = None, _LESS_OF_OTHERS if moved else _LESS
    if not cannot_tell:
        follows = _following(view, labelled, seed)
    if follows is not None and follows.p_value < _LEVEL and follows.relative < least:
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
    inputs = [describe_shift(view, n) for n in moved[:_NAMED]]
    return Cause("concept", [words, *inputs], columns=moved)


def _either(view: View, moved: list[str], losses: LossChange) -> Cause:
    words = (
        f"the mean loss is {losses.now:.4g} ({losses.before:.4g} on the held-out rows), and inputs"
        " have moved: whether other rows or another concept is behind it cannot be told, because"
        " the held-out rows' inputs are not kept"
    )
    evidence = [words, *(describe_shift(view, n) for n in moved[:_NAMED])]
    return Cause("unclear", evidence, columns=moved, sureness="possible")
