"""The reasons of a verdict on drift, in words: one function for each kind of reason."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from pipelines.plurals import how_many
from pipelines.science.family_words import explain_family, is_better, tell_family
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
_OF_NEW_VALUES = 0.1
"""The share of rows that hold values of an input of which training had none."""


_NAMED = 5
"""Inputs that one reason names; the page shows all."""


def values_gone(column: ColumnFact, rows: int, rules: Drift) -> bool:
    """Tell whether values are missing in a window of so many rows where the champion's training
    data had them: all of them, or more than the spec tolerates.
    """
    if column.missing == 1 and rows * (1 - column.missing_reference) >= EXPECTED_VALUES:
        return True
    return rules.missing is not None and column.missing - column.missing_reference > rules.missing


def values_new(column: ColumnFact, rules: Drift) -> bool:
    """Tell whether an input has values of which the champion has never seen one."""
    least = _OF_NEW_VALUES if rules.missing is None else rules.missing
    return column.missing_reference == 1 and 1 - column.missing > least


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
        tolerated = (
            "" if rules.missing is None else f"; {rules.missing:.0%} more is tolerated (missing)"
        )
        reasons.append(f"values are missing in {_count_and_join(shares, len(gaps))}{tolerated}")
    new = [c for c in facts.columns if values_new(c, rules)]
    if new:
        shares = (f"{c.name} ({1 - c.missing:.1%} of the rows)" for c in new)
        reasons.append(
            "values appeared where the champion's training data hold none, in"
            f" {_count_and_join(shares, len(new))}"
        )
    return reasons


def explain_changes(facts: DriftFacts) -> list[str]:
    """Return a reason for each family of tests that says "changed".

    Answers that are less wrong than they were are no reason.
    """
    return [
        explain_family(f, facts) for f in facts.families if f.said == "changed" and not is_better(f)
    ]


def explain_own_rules(facts: DriftFacts, rules: Drift) -> list[str]:
    """Return a reason for each threshold of the spec's own that is passed."""
    reasons = []
    ruled = [c for c in facts.columns_with_score if c.own is not None]
    passed = sorted((c for c in ruled if c.passed), key=_beyond_own, reverse=True)
    if passed and len(passed) >= rules.share * len(ruled):
        names = _join_names((_describe_own(c) for c in passed), len(passed))
        reasons.append(
            f"{len(passed)} of {how_many(len(ruled), 'input')} with a threshold of the spec's own"
            f" have passed it ({rules.share:.0%} is enough): {names}"
        )
    answers = facts.predictions
    if answers is not None and answers.passed:
        reasons.append(
            f"the predictions have passed the spec's own threshold: {_describe_own(answers)}"
        )
    return reasons


def explain_performance(facts: DriftFacts, rules: Drift) -> list[str]:
    """Return a reason where the champion does worse than it promised, beyond the tolerance."""
    fact = facts.performance
    if fact is None or not fact.worse:
        return []
    live = (
        f"{fact.metric} on {fact.rows_in_words} is {fact.live:.4g}{fact.behind}, at best"
        f" {fact.good_end:.4g}"
    )
    return [
        (
            f"the champion's {live} (one-sided {rules.performance.confidence:.0%} interval); it"
            f" promised {fact.expected:.4g}, and {fact.tolerance or 0.0:.0%} of that is tolerated"
            " (performance.tolerance)"
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


def explain_silence(facts: DriftFacts) -> list[str]:
    """Return why nothing can be said of a window, family by family; each reason once."""
    by_reason: dict[str, list[str]] = {}
    for family in facts.families:
        by_reason.setdefault(family.untold, []).append(tell_family(family.family))
    return [
        f"nothing can be said of {' and '.join(names)}: {why}" for why, names in by_reason.items()
    ]


def explain_no_drift(facts: DriftFacts, rules: Drift) -> str:
    """Return in words what was looked at and found as it should be."""
    told = [f for f in facts.families if f.said != "cannot_be_said"]
    sentences = []
    if told:
        names = ", ".join(tell_family(f.family) for f in told)
        sentences.append(
            f"unchanged as far as the tests see: {names} (they are to call a quiet window changed"
            f" in at most about {100 * rules.false_alarms:.3g}% of cases)"
        )
    silent = [f for f in facts.families if f.said == "cannot_be_said"]
    sentences += [f"nothing can be said of {tell_family(f.family)}: {f.untold}" for f in silent]
    better = [f for f in facts.families if f.said == "changed" and is_better(f)]
    sentences += [f"{explain_family(f, facts)}, which starts nothing" for f in better]
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

    1 is the threshold itself, more is drift; 0 without a score or a threshold.

    p-values are taken by their logarithms: with a threshold of 0.01 the p-value 0.0001 is twice as
    far.
    """
    return _times(column, column.threshold)


def _beyond_own(column: ColumnFact) -> float:
    return _times(column, column.own)


def _times(column: ColumnFact, threshold: float | None) -> float:
    if column.score is None or threshold is None:
        return 0.0
    if column.method not in P_VALUES:
        return column.score / max(threshold, 1e-300)
    return log(min(max(column.score, 1e-300), 1.0)) / log(min(max(threshold, 1e-300), 0.999))


def score_text(column: ColumnFact) -> str:
    """Return a score as people read it; "" where there is none."""
    if column.score is None:
        return ""
    return (
        "below 1e-99"
        if column.method in P_VALUES and column.score < 1e-99  # noqa: PLR2004 -- as it says
        else f"{column.score:.3g}"
    )


def _describe_own(column: ColumnFact) -> str:
    value = "p-value " if column.method in P_VALUES else ""
    return f"{column.name} ({column.method} {value}{score_text(column)}, threshold {column.own:g})"


def _count_and_join(texts: Iterable[str], count: int) -> str:
    return f"{how_many(count, 'input')}: {_join_names(texts, count)}"


def _join_names(texts: Iterable[str], count: int) -> str:
    """Return the first few texts as one, and how many more there are."""
    head = [text for text, _ in zip(texts, range(_NAMED), strict=False)]
    return ", ".join(head) + (f", and {count - len(head)} more" if count > len(head) else "")
