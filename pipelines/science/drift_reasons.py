"""The reasons of a verdict on drift, in words: one function for each kind of reason."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from pipelines.plurals import how_many
from pipelines.spec.drift import P_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pipelines.science.drift_facts import ColumnFact, DriftFacts
    from pipelines.spec.drift import Drift

    Array = NDArray[Any]


EXPECTED_VALUES = 10
"""An input of which every value is missing counts as changed where at least this many values were
to be expected: by chance alone that happens once in e^10 = 22,000 windows."""


_NAMED = 5
"""Inputs that one reason names; the page shows all."""


def values_gone(column: ColumnFact, rows: int, rules: Drift) -> bool:
    """Tell whether values are missing in a window of so many rows where the champion's training
    data had them.
    """
    if column.missing == 1 and rows * (1 - column.missing_reference) >= EXPECTED_VALUES:
        return True
    return column.missing - column.missing_reference > rules.missing


def values_new(column: ColumnFact, rules: Drift) -> bool:
    """Tell whether an input has values of which the champion has never seen one."""
    return column.missing_reference == 1 and 1 - column.missing > rules.missing


def explain_gaps(facts: DriftFacts, rules: Drift) -> list[str]:
    """Return a reason for inputs whose values are gone, and one for inputs that have values where
    training saw none.
    """
    reasons = []
    gaps = [c for c in facts.columns if values_gone(c, facts.rows, rules)]
    if gaps:
        shares = (
            f"{c.name} ({c.missing:.1%} missing, {c.missing_reference:.1%} in the champion's"
            " training data)"
            for c in gaps
        )
        reasons.append(
            f"values are missing in {_count_and_join(shares, len(gaps))}; {rules.missing:.0%} more"
            " is tolerated"
        )
    new = [c for c in facts.columns if values_new(c, rules)]
    if new:
        shares = (f"{c.name} ({1 - c.missing:.1%} of the rows)" for c in new)
        reasons.append(
            "values appeared where the champion's training data hold none, in"
            f" {_count_and_join(shares, len(new))}"
        )
    return reasons


def explain_inputs(facts: DriftFacts, rules: Drift) -> list[str]:
    """Return a reason where the share of drifted inputs, among those that could be compared, is
    reached.
    """
    drifted = sorted((c for c in facts.columns_with_score if c.drifted), key=strength, reverse=True)
    if not drifted or len(drifted) < rules.share * len(facts.columns_with_score):
        return []
    names = _join_names((_describe_score(c) for c in drifted), len(drifted))
    return [
        (
            f"{len(drifted)} of {len(facts.columns_with_score)} inputs have drifted"
            f" ({rules.share:.0%} is enough): {names}"
        )
    ]


def explain_predictions(facts: DriftFacts) -> list[str]:
    """Return a reason where the predictions have drifted."""
    fact = facts.predictions
    return (
        [f"the predictions have drifted: {_describe_score(fact, name=False)}"]
        if fact is not None and fact.drifted
        else []
    )


def explain_performance(facts: DriftFacts, rules: Drift) -> list[str]:
    """Return a reason where the champion does worse than it promised, beyond the tolerance."""
    fact = facts.performance
    if fact is None or not fact.worse:
        return []
    live = (
        f"{fact.metric} on {fact.rows_in_words} is {fact.live:.4g}{fact.behind}, at best"
        f" {fact.good_end:.4g}"
    )
    interval = f"one-sided {rules.performance.confidence:.0%} interval"
    return [
        (
            f"the champion's {live} ({interval}); it promised {fact.expected:.4g}, and"
            f" {rules.performance.tolerance:g} is tolerated"
        )
    ]


def explain_flags(facts: DriftFacts) -> list[str]:
    """Return a reason where the share of flagged rows breaks the champion's promise."""
    flags = facts.flags
    if flags is None or flags.is_kept:
        return []
    what = (
        "there are more anomalies than were promised, or rows have changed, and no score tells"
        " which: look at the flagged rows, and retrain by hand where they are usual by now"
        if flags.share > flags.rate
        else "the threshold is too high for what rows are like by now"
    )
    return [f"{flags.in_words}: {what}"]


def explain_no_drift(facts: DriftFacts, rules: Drift) -> str:
    """Return in words what was looked at and found as it should be."""
    drifted = [c for c in facts.columns_with_score if c.drifted]
    sentences = [
        (
            f"{len(drifted)} of {len(facts.columns_with_score)} inputs have drifted"
            f" ({rules.share:.0%} would be enough)"
        )
    ]
    if drifted:
        sentences[0] += ": " + _join_names(
            (_describe_score(c) for c in sorted(drifted, key=strength, reverse=True)), len(drifted)
        )
    if facts.predictions is not None and facts.predictions.score is not None:
        sentences.append(
            f"the predictions have not: {_describe_score(facts.predictions, name=False)}"
        )
    if facts.flags is not None:
        sentences.append(facts.flags.in_words)
    live = facts.performance
    if live is not None:
        promise = (
            "no score of its holdout is known"
            if live.expected is None
            else f"{live.expected:.4g} was promised"
        )
        sentences.append(
            f"{live.metric} on {live.rows_in_words} is {live.live:.4g}{live.behind} where {promise}"
        )
    return "; ".join(sentences)


def strength(column: ColumnFact) -> float:
    """Return how far a score has come towards its threshold.

    1 is the threshold itself, more is drift; 0 without a score.

    p-values are taken by their logarithms: with a threshold of 0.01 the p-value 0.0001 is twice as
    far.
    """
    if column.score is None:
        return 0.0
    if column.method not in P_VALUES:
        return column.score / column.threshold
    return log(min(max(column.score, 1e-300), 1.0)) / log(min(column.threshold, 0.999))


def score_text(column: ColumnFact) -> str:
    """Return a score as people read it; "" where there is none."""
    if column.score is None:
        return ""
    return (
        "below 1e-99"
        if column.method in P_VALUES and column.score < 1e-99  # noqa: PLR2004 -- as it says
        else f"{column.score:.3g}"
    )


def _describe_score(column: ColumnFact, *, name: bool = True) -> str:
    value = "p-value " if column.method in P_VALUES else ""
    text = f"{column.method} {value}{score_text(column)}, threshold {column.threshold:g}"
    return f"{column.name} ({text})" if name else text


def _count_and_join(texts: Iterable[str], count: int) -> str:
    return f"{how_many(count, 'input')}: {_join_names(texts, count)}"


def _join_names(texts: Iterable[str], count: int) -> str:
    """Return the first few texts as one, and how many more there are."""
    head = [text for text, _ in zip(texts, range(_NAMED), strict=False)]
    return ", ".join(head) + (f", and {count - len(head)} more" if count > len(head) else "")
