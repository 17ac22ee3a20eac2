"""The decision on drift.

One pure function from the facts of a window to a verdict: new rules belong here.

It fails closed. Something broken (the schema, a value that no model can be fed, the look itself) is
an alarm and never a verdict on drift; too few rows are no verdict at all; and where nothing could
be compared, that is an alarm, not `no_drift`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, log
from typing import TYPE_CHECKING, Any, Literal

from pipelines.science.bootstrap import spread
from pipelines.science.metrics import THRESHOLD, better_by
from pipelines.science.own_metrics import RowMetric
from pipelines.spec.drift import P_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pipelines.science.anomaly import FlagRate
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.spec.drift import Drift, Performance

    Array = NDArray[Any]

Verdict = Literal["no_drift", "drift", "alarm", "not_enough_data"]

EXPECTED_VALUES = 10
"""An input of which every value is missing counts as changed where at least this many values were
to be expected: by chance alone that happens once in e^10 = 22,000 windows."""
_NAMED = 5
"""Inputs that one reason names; the page shows all."""
_REASONS = 12
"""Broken things that an alarm names: reasons travel in 8 kB with everything else."""


@dataclass(frozen=True)
class ColumnFact:
    """One input (or the predictions) in the window, compared with the champion's training data.

    `score` is Evidently's, by `method`; None where nothing was compared, and then `problem` says
    why in words. `drifted` is Evidently's too: the score has passed the `threshold`. `missing` and
    `missing_reference` are shares (0..1) of null or NaN.
    """

    name: str
    method: str
    threshold: float
    score: float | None
    drifted: bool
    missing: float
    missing_reference: float
    problem: str = ""


@dataclass(frozen=True)
class PerformanceFact:
    """The champion's `metric` on the window's labelled rows against what it reached on its holdout
    (`expected`).

    `good_end` and `bad_end` are the ends of two one-sided intervals of the live metric, "good"
    being the better one whichever way the metric points; None where they could not be found.
    `worse`: even the good end misses `expected` by more than is tolerated.
    """

    metric: str
    live: float
    good_end: float | None
    expected: float | None
    rows: int
    worse: bool
    bad_end: float | None = None
    greater_is_better: bool | None = None
    """Whether a greater value is better; None where the catalogue says it."""
    unit: str = ""
    """What the metric is counted in; empty where it has no unit."""

    @property
    def rises(self) -> bool:
        """Whether a greater value is better."""
        if self.greater_is_better is None:
            return float(better_by(self.metric, 1.0, 0.0)) > 0
        return self.greater_is_better

    @property
    def behind(self) -> str:
        """The unit as it stands behind a number."""
        return f" {self.unit}" if self.unit else ""


@dataclass(frozen=True)
class DriftFacts:
    """All facts of a window of `rows` rows.

    `broken` says in words what makes the window unfit for any comparison; `error` names an
    exception of the look itself. `notes` are things that a reader must know and that decide
    nothing.
    """

    rows: int
    broken: list[str] = field(default_factory=list)
    columns: list[ColumnFact] = field(default_factory=list)
    predictions: ColumnFact | None = None
    performance: PerformanceFact | None = None
    error: str = ""
    notes: list[str] = field(default_factory=list)
    flags: FlagRate | None = None
    """Of an anomaly model: the share of rows that it flags, beside the one that it promises."""

    @property
    def compared(self) -> list[ColumnFact]:
        """The inputs that have a score."""
        return [c for c in self.columns if c.score is not None]

    @property
    def drifted(self) -> list[str]:
        """The names of the inputs that have drifted."""
        return [c.name for c in self.columns if c.drifted]


@dataclass(frozen=True)
class Decision:
    """The verdict on a window and its reasons in words; there is always at least one."""

    verdict: Verdict
    reasons: list[str]


def decide(facts: DriftFacts, rules: Drift) -> Decision:
    """Return the verdict.

    What is broken comes first, then too few rows, then every reason for drift, not only the first.
    """
    faults = ([facts.error] if facts.error else []) + facts.broken
    if faults:
        more = [f"and {len(faults) - _REASONS} more"] if len(faults) > _REASONS else []
        return Decision("alarm", faults[:_REASONS] + more)
    if facts.rows < rules.min_rows:
        rows = (
            "no rows" if facts.rows == 0 else f"{facts.rows:,} row{'s' if facts.rows > 1 else ''}"
        )
        return Decision(
            "not_enough_data",
            [f"the window holds {rows}; a verdict needs at least {rules.min_rows:,} (min_rows)"],
        )
    reasons = [
        *_explain_gaps(facts, rules),
        *_explain_inputs(facts, rules),
        *_explain_predictions(facts),
        *_explain_performance(facts, rules),
    ]
    flags = _explain_flags(facts)
    if flags and facts.flags is not None and facts.flags.share > facts.flags.rate:
        # Whether the world has changed or anomalies are more, no model can tell: learning from them
        # would make them usual. So a person must look, and nothing is retrained by itself.
        return Decision("alarm", [*flags, *reasons])
    reasons += flags
    if reasons:
        return Decision("drift", reasons)
    if (
        not facts.compared
        and facts.performance is None
        and facts.flags is None
        and (facts.predictions is None or facts.predictions.score is None)
    ):
        return Decision(
            "alarm",
            ["nothing could be compared: no input, no predictions, no labels", *facts.notes],
        )
    return Decision("no_drift", [_explain_no_drift(facts, rules), *facts.notes])


def measure_performance(
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    event_times: Array,
    expected: float | None,
    rule: Performance,
    seed: int,
    threshold: float = THRESHOLD,
) -> PerformanceFact:
    """Return how the champion does on labelled rows (shapes as in `metrics`).

    `threshold` is the champion's.
    `live` is NaN where the metric is not defined on them.
    """
    interval = spread(
        metric,
        y,
        p,
        event_times=event_times,
        confidence=rule.confidence,
        seed=seed,
        threshold=threshold,
    )
    good, bad = (end if isfinite(end) else None for end in (interval.good_end, interval.bad_end))
    worse = (
        good is not None
        and expected is not None
        and float(better_by(metric, expected, good)) > rule.tolerance
    )
    return PerformanceFact(
        interval.metric,
        interval.value,
        good,
        expected,
        len(y),
        worse,
        bad,
        greater_is_better=float(better_by(metric, 1.0, 0.0)) > 0,
        unit=metric.unit if isinstance(metric, RowMetric) else "",
    )


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


def _explain_gaps(facts: DriftFacts, rules: Drift) -> list[str]:
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


def _explain_inputs(facts: DriftFacts, rules: Drift) -> list[str]:
    """Return a reason where the share of drifted inputs, among those that could be compared, is
    reached.
    """
    drifted = sorted((c for c in facts.compared if c.drifted), key=strength, reverse=True)
    if not drifted or len(drifted) < rules.share * len(facts.compared):
        return []
    names = _join_names((_describe_score(c) for c in drifted), len(drifted))
    return [
        (
            f"{len(drifted)} of {len(facts.compared)} inputs have drifted ({rules.share:.0%} is"
            f" enough): {names}"
        )
    ]


def _explain_predictions(facts: DriftFacts) -> list[str]:
    fact = facts.predictions
    return (
        [f"the predictions have drifted: {_describe_score(fact, name=False)}"]
        if fact is not None and fact.drifted
        else []
    )


def _explain_performance(facts: DriftFacts, rules: Drift) -> list[str]:
    fact = facts.performance
    if fact is None or not fact.worse:
        return []
    live = (
        f"{fact.metric} on {fact.rows:,} labelled rows is {fact.live:.4g}{fact.behind}, at best"
        f" {fact.good_end:.4g}"
    )
    interval = f"one-sided {rules.performance.confidence:.0%} interval"
    return [
        (
            f"the champion's {live} ({interval}); it promised {fact.expected:.4g}, and"
            f" {rules.performance.tolerance:g} is tolerated"
        )
    ]


def _explain_flags(facts: DriftFacts) -> list[str]:
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


def _explain_no_drift(facts: DriftFacts, rules: Drift) -> str:
    """Return in words what was looked at and found as it should be."""
    drifted = [c for c in facts.compared if c.drifted]
    sentences = [
        (
            f"{len(drifted)} of {len(facts.compared)} inputs have drifted"
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
            f"{live.metric} on {live.rows:,} labelled rows is {live.live:.4g}{live.behind} where"
            f" {promise}"
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
    return f"{count} input{'s' if count > 1 else ''}: {_join_names(texts, count)}"


def _join_names(texts: Iterable[str], count: int) -> str:
    """Return the first few texts as one, and how many more there are."""
    head = [text for text, _ in zip(texts, range(_NAMED), strict=False)]
    return ", ".join(head) + (f", and {count - len(head)} more" if count > len(head) else "")
