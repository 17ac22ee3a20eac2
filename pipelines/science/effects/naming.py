"""Does a change matter? One function from the rows of both sides to what follows from it.

"Changed, and nothing follows from it" is an answer: the metric's expected change and the decisions
are bounded closely enough by an interval that lies within what is tolerated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.science.causes.view import MOST_ROWS, View, thin
from pipelines.science.causes.weights import weigh_rows
from pipelines.science.effects.columns import rank_columns
from pipelines.science.effects.decisions import least_turned, measure_decisions, tell_decisions
from pipelines.science.effects.effect import ColumnEffect, Effect, Expected
from pipelines.science.effects.expectation import expect_loss
from pipelines.science.effects.measured import (
    INTERVAL,
    has_interval,
    measure_claims,
    measure_loss,
)
from pipelines.verdicts.explanations import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.science.changes.facts import Sample
    from pipelines.science.effects.columns import Answer
    from pipelines.science.effects.decisions import Decisions

TOLERATED = 0.05
"""The part of the loss, and the share of decisions, by which nothing that matters has changed."""
MEASURED, EXPECTED = "measured on labels", "expected of such rows"
_LEAST_ROWS = 30
_NAMED = 3


def measure_effect(
    window: Sample,
    reference: Sample,
    *,
    labelled: tuple[Sample, Sample] | None = None,
    decisions: Decisions | None = None,
    importances: Mapping[str, float] | None = None,
    answer: Answer | None = None,
    tolerated: float = TOLERATED,
    seed: int = 0,
) -> Effect:
    """Return what follows from the window's difference to the reference.

    `labelled` are the window's and the past's labelled rows, where they are others than those of
    the samples, and `decisions` the answers of both; None where answers are none.
    `importances` are what the metric loses without each column, `answer` asks the model again.
    `tolerated` is relative to the reference's mean loss, and the share of decisions.
    """
    view = View(thin(window, MOST_ROWS, seed), thin(reference, MOST_ROWS, seed))
    if view.window.rows < _LEAST_ROWS or view.reference.rows < _LEAST_ROWS or not view.names:
        few = f"{view.window.rows:,} rows of the window, {view.reference.rows:,} of the reference"
        return Effect("cannot_be_said", [f"too few rows to say what follows: {few}"])
    expected = expect_loss(view, weigh_rows(view, seed))
    known = view if labelled is None else View(*(thin(side, MOST_ROWS, seed) for side in labelled))
    measured = measure_loss(known)
    decided = None if decisions is None else measure_decisions(decisions)
    threshold = None if decisions is None else decisions.threshold
    columns = rank_columns(view, importances, answer=answer, threshold=threshold, seed=seed)
    words, bounds = [], []
    of_few_days = measured is not None and not has_interval(measured)
    for loss, text in ((None if of_few_days else measured, MEASURED), (expected, EXPECTED)):
        if loss is not None:
            words.append(_loss_words(loss, text))
            bounds.append(_judge_interval(loss, tolerated))
            break  # what is measured needs no expectation
    if measured is not None and of_few_days:
        words.append(_loss_words(measured, MEASURED))
    claims = measure_claims(known, tolerated)
    bounds += [bound for bound, _ in claims if bound]
    for bound in ("matters", "cannot_be_said", ""):
        words += [told for each, told in claims if each == bound][:_NAMED]
    if decided is not None:
        bound, told = tell_decisions(decided, tolerated)
        words.append(told)
        bounds.append(bound)
    telling = [c for c in columns if c.weight > 0][:_NAMED]
    if telling:
        words.append(_tell_columns(telling))
    if not bounds:
        if not of_few_days:
            words.insert(0, "neither errors nor decisions are known: what follows cannot be said")
        return Effect("cannot_be_said", words, columns)
    follows = (
        "matters"
        if "matters" in bounds
        else "cannot_be_said"
        if "cannot_be_said" in bounds
        else "nothing_follows"
    )
    shares = None if decided is None else (decided.before, decided.now)
    least = least_turned(decided)
    return Effect(follows, words, columns, shares, least, expected)  # type: ignore[arg-type]


def _judge_interval(loss: Expected, tolerated: float) -> str:
    """Return what an interval of the loss's change says beside what is tolerated."""
    if loss.untold:
        return "cannot_be_said"
    most = tolerated * abs(loss.before)
    if loss.low > most or loss.high < -most:
        return "matters"
    return "nothing_follows" if max(abs(loss.low), abs(loss.high)) <= most else "cannot_be_said"


def _loss_words(loss: Expected, text: str) -> str:
    if loss.untold and text == MEASURED:
        return (
            f"the mean loss, {text}, changes by {loss.change:+.4g} (before it was"
            f" {loss.before:.4g}): {UNKNOWN}: {loss.untold}"
        )
    if loss.untold:
        return f"the mean loss on such rows cannot be said: {loss.untold}"
    return (
        f"the mean loss, {text}, changes by {loss.change:+.4g} ({INTERVAL}: from"
        f" {loss.low:+.4g} to {loss.high:+.4g}); before it was {loss.before:.4g}"
    )


def _tell_columns(columns: list[ColumnEffect]) -> str:
    """Return which columns matter most, in words; those that moved most where that is all known."""
    if all(c.importance is None for c in columns):
        moved = ", ".join(f"{c.name} ({c.shift:.0%} of the rows)" for c in columns)
        return f"what moved most, how important it is being unknown: {moved}"
    parts = ", ".join(f"{c.name} ({_share(c.importance)} x {c.shift:.0%})" for c in columns)
    return f"what matters most, by importance times shift: {parts}"


def _share(importance: float | None) -> str:
    return "unknown" if importance is None else f"{importance:.0%}"
