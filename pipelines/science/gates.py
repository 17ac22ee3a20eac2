"""The gate: one pure function from facts to a verdict.

It fails closed: what is missing, not finite or not proven refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.messages import GateCheck
from pipelines.science.anomaly_gates import AnomalyFacts, anomaly_checks
from pipelines.science.cluster_gate import check_succession
from pipelines.science.promise import check_promise
from pipelines.spec.anomaly import needs_truth
from pipelines.spec.metrics import find_metric, is_known
from pipelines.tasks import STAND_INS, classifies, learns_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.intervals import Interval
    from pipelines.science.anomaly import Agreement, FlagRate
    from pipelines.science.bootstrap import Comparison
    from pipelines.science.cluster_gate import Succession
    from pipelines.science.promise import Promise
    from pipelines.spec.gate import Gate
    from pipelines.spec.metric import Metric
    from pipelines.spec.own_metrics import OwnMetric
    from pipelines.tasks import Task


@dataclass(frozen=True)
class Opponent:
    """Whom the challenger must beat: the champion, or the best constant where no champion can
    answer.

    `comparison` is by the metric of `gate.versus_champion`, `guards` by each metric of
    `gate.guards`. `error` says in words why it could not be compared; `fitted_on` is what a
    champion has seen. `incident` says in words why the champion, which should be the opponent,
    could not be.
    """

    name: str
    comparison: Comparison | None = None
    guards: Mapping[str, Comparison] = field(default_factory=dict)
    error: str = ""
    fitted_on: Interval | None = None
    incident: str = ""
    agreement: Agreement | None = None
    """Of anomaly models: how far both flag the same rows; None where there is no champion."""


LEAST_HELD_OUT = 100
"""Fewer held-out rows of a snapshot than this prove less than folds over all of its rows do."""

LEAST_ROWS = 30
"""Fewer rows (or groups of rows) than this prove nothing, however often they are cut into folds.

With 6 or 12 groups of five rows, equal models were "proven" better in up to 10 % of worlds at a
confidence of 95 % (benchmarks/folds.py).
"""


@dataclass(frozen=True)
class SnapshotFacts:
    """What is known of the rows of a snapshot, which have no time.

    `held` of them are held out; `fair` of these are new to the champion too. `challenger_sides`
    and `champion_sides` tell whether it is known which rows each was not fitted on (true of a
    constant). `folds` says in words how the models are fitted again where the fair rows prove
    nothing, and `why_folds` why they do not; else both are empty.
    """

    held: int
    fair: int
    challenger_sides: bool
    champion_sides: bool
    folds: str = ""
    why_folds: str = ""
    groups: int | None = None
    """How many groups all rows are of; None where each row is for itself."""


@dataclass(frozen=True)
class GateFacts:
    """What the gate knows: the challenger (`name` empty where there is none), its scores on the
    `rows` held-out rows.

    `fitted_on` is the span of the rows that the challenger has learnt from; None where nobody
    knows. Of a snapshot `snapshot` says what that span cannot; where it is judged over folds,
    `rows` are all rows and `metrics` are means over the folds.
    """

    name: str
    dummy: bool
    metrics: Mapping[str, float | None]
    rows: int
    holdout: Interval
    fitted_on: Interval | None
    opponent: Opponent
    snapshot: SnapshotFacts | None = None
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a metric has no value on the held-out rows, in words."""
    succession: Succession | None = None
    """Of a clustering: how its clusters lie upon the champion's; None where there is none."""
    flags: FlagRate | None = None
    """Of an anomaly model: the share of the held-out rows that it flags."""
    labelled: int | None = None
    """Of an anomaly model with a target: how many held-out rows have a label."""
    promise: Promise | None = None
    """What a model of quantiles promises of its coverage; None where it promises nothing."""


@dataclass(frozen=True)
class Verdict:
    """All checks; the failed ones are the reasons to refuse."""

    checks: list[GateCheck] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Why the challenger is refused; empty where it is promoted."""
        return [c.detail for c in self.checks if not c.passed] or (
            [] if self.checks else ["the gate looked at nothing"]
        )

    @property
    def promoted(self) -> bool:
        """Whether nothing speaks against the challenger."""
        return not self.reasons


def judge(facts: GateFacts, gate: Gate, own: Mapping[str, OwnMetric] | None = None) -> Verdict:
    """Return the verdict on the challenger.

    All checks are made, so it holds every reason, not only the first. `own` are the metrics of the
    model's own, by name.
    """
    declared = {m: find_metric(m) for m in gate.metrics if is_known(m)} | dict(own or {})
    units = {name: metric.shown_unit for name, metric in (own or {}).items()}
    checks = [
        _check_challenger(facts),
        _check_rows(facts, gate),
        *_check_thresholds(facts, gate, declared, units),
        _check_overlap(facts) if facts.snapshot is None else _check_sides(facts, facts.snapshot),
        *check_promise(facts.promise),
        *_note_incident(facts),
    ]
    decides = gate.versus_champion.metric
    # Without a truth to look at nothing is better: a promise is kept or it is not.
    better = [_check_better(facts, gate, units.get(decides, ""))] if needs_truth(decides) else []
    if better and facts.succession is not None and facts.opponent.name == "champion":
        comparison = facts.opponent.comparison
        better = check_succession(better[0], facts.succession, comparison, gate)
    return Verdict(
        [
            *checks,
            *anomaly_checks(
                AnomalyFacts(
                    flags=facts.flags,
                    labelled=facts.labelled,
                    agreement=facts.opponent.agreement,
                    versus_champion=facts.opponent.name == "champion",
                    error=facts.opponent.error,
                ),
                gate,
            ),
            *better,
            *(_check_guard(facts, metric, gate, units.get(metric, "")) for metric in gate.guards),
        ]
    )


def blind_spot(gate: Gate, task: Task) -> str:
    """Return in words what none of the gate's metrics sees, and which guard would.

    Empty where they see all that they should.
    """
    metrics = {*gate.at_least, *gate.at_most, *gate.guards, gate.versus_champion.metric}
    # What a metric of the model's own sees nobody knows.
    views = {find_metric(metric).sees for metric in metrics if is_known(metric)}
    if learns_nothing(task) or task == "quantiles":
        return _blind_of_levels(metrics) if task == "quantiles" else ""
    if classifies(task):
        if "probabilities" in views:
            return ""
        blind = (
            "whether the probabilities are true, so a model that is far too sure, or shifted, can"
            " pass"
        )
        return f"the gate does not see {blind}: add `guards: {{log_loss: 0.05}}`"
    if "squares" not in views:
        return (
            "the gate does not see a few great misses, so a model that makes them can pass: add"
            " `guards: {rmse: 0.05}`"
        )
    if "distances" not in views:
        return (
            "the gate sees little but the greatest misses, so a model that is worse on most rows"
            " can pass: add `guards: {mae: 0.05}`"
        )
    return ""


def _blind_of_levels(metrics: set[str]) -> str:
    if any(metric.startswith(("pinball", "interval_score")) for metric in metrics):
        return ""
    return (
        "the gate does not see whether the levels are true, so a model whose intervals are wrong"
        " can pass: add `guards: {pinball: 0.05}`"
    )


def _check_challenger(facts: GateFacts) -> GateCheck:
    if not facts.name:
        return GateCheck(
            name="challenger",
            passed=False,
            detail="no candidate has a finite cross-validation score",
        )
    if facts.dummy:
        return GateCheck(
            name="challenger",
            passed=False,
            detail=f"{facts.name} is a dummy: it has learnt nothing",
        )
    return GateCheck(name="challenger", passed=True, detail=f"{facts.name} is the challenger")


def _check_rows(facts: GateFacts, gate: Gate) -> GateCheck:
    if facts.snapshot is not None and facts.snapshot.folds:
        return _check_fold_rows(facts, facts.snapshot)
    enough = facts.rows >= gate.min_rows
    words = (
        f"reach the {gate.min_rows} that" if enough else f"are fewer than the {gate.min_rows} that"
    )
    return GateCheck(
        name="rows",
        passed=enough,
        detail=f"{facts.rows} held-out rows {words} gate.min_rows asks for",
    )


def _check_fold_rows(facts: GateFacts, snapshot: SnapshotFacts) -> GateCheck:
    count, unit = (facts.rows, "rows")
    if snapshot.groups is not None:
        count, unit = min((snapshot.groups, "groups"), (count, unit))
    enough = count >= LEAST_ROWS
    detail = (
        f"{snapshot.why_folds}: both are fitted again over all {facts.rows} rows ({snapshot.folds})"
        if enough
        else f"{count} {unit} are fewer than {LEAST_ROWS}: nothing can be proven on them"
    )
    return GateCheck(name="rows", passed=enough, detail=detail)


def _check_thresholds(
    facts: GateFacts,
    gate: Gate,
    declared: Mapping[str, Metric | OwnMetric],
    units: Mapping[str, str],
) -> list[GateCheck]:
    bounds = [(m, v, True) for m, v in gate.at_least.items()] + [
        (m, v, False) for m, v in gate.at_most.items()
    ]
    if not bounds:
        return [
            GateCheck(
                name="thresholds", passed=False, detail="the gate names no floor and no ceiling"
            )
        ]
    return [
        _check_threshold(
            metric,
            facts,
            bound,
            floor=floor,
            fits=metric in declared and declared[metric].greater_is_better == floor,
            unit=_behind(units.get(metric, "")),
        )
        for metric, bound, floor in bounds
    ]


def _behind(unit: str) -> str:
    """Return a unit as it stands behind a number."""
    return f" {unit}" if unit else ""


def _check_threshold(
    metric: str, facts: GateFacts, bound: float, *, floor: bool, fits: bool, unit: str
) -> GateCheck:
    value, why = facts.metrics.get(metric), facts.undefined.get(metric, "")
    what = "floor" if floor else "ceiling"
    if not isfinite(bound):
        return GateCheck(name=metric, passed=False, detail=f"the {what} of {metric} is not finite")
    if not fits:
        return GateCheck(name=metric, passed=False, detail=f"{metric} cannot have a {what}")
    if value is None or not isfinite(value):
        return GateCheck(
            name=metric,
            passed=False,
            detail=(
                f"{metric} is missing or not finite{f' ({why})' if why else ''}, so it cannot be"
                f" held against the {what} {_number(bound)}{unit}"
            ),
        )
    passed = value >= bound if floor else value <= bound
    side = (
        ("at or above" if floor else "at or below") if passed else ("below" if floor else "above")
    )
    return GateCheck(
        name=metric,
        passed=passed,
        detail=(
            f"{metric} {_number(value, bound)}{unit} is {side} the {what} {_number(bound)}{unit}"
        ),
    )


def _check_overlap(facts: GateFacts) -> GateCheck:
    """Check that the held-out rows are new to the challenger and to the champion that it is
    compared with.
    """
    if facts.name and facts.fitted_on is None:
        detail = (
            f"it is not known on which rows {facts.name} was fitted, so it cannot be judged; clear"
            " `train` and run again"
        )
        return GateCheck(name="unseen", passed=False, detail=detail)
    spans = [
        (facts.name, facts.fitted_on),
        (f"the {facts.opponent.name}", facts.opponent.fitted_on),
    ]
    overlaps = [
        f"{who} was fitted on ({_span(span)})"
        for who, span in spans
        if span is not None and span.overlaps(facts.holdout)
    ]
    if overlaps:
        detail = (
            f"the held-out rows ({_span(facts.holdout)}) overlap what"
            f" {' and what '.join(overlaps)}, so it cannot be judged fairly{_way_out(facts)}"
        )
        return GateCheck(name="unseen", passed=False, detail=detail)
    return GateCheck(name="unseen", passed=True, detail="the held-out rows are new to both")


def _way_out(facts: GateFacts) -> str:
    """Return in words when the held-out rows will be new to the champion; "" where they are."""
    span = facts.opponent.fitted_on
    if span is None or not span.overlaps(facts.holdout):
        return ""
    return (
        f"; held-out rows from {iso(span.end)} on can judge it: wait for newer batches, or hold"
        " fewer of them out (train.holdout)"
    )


def _check_sides(facts: GateFacts, snapshot: SnapshotFacts) -> GateCheck:
    """Check that the rows of a snapshot that judge are new to both."""
    if snapshot.folds:
        detail = "in each fold the rows that judge are new to both, which were fitted without them"
        return GateCheck(name="unseen", passed=True, detail=detail)
    if facts.name and not snapshot.challenger_sides:
        detail = (
            f"it is not known on which rows {facts.name} was fitted, so it cannot be judged; clear"
            " `train` and run again"
        )
        return GateCheck(name="unseen", passed=False, detail=detail)
    if not snapshot.champion_sides:
        detail = (
            "it is not known which of the held-out rows the champion was fitted on, so it cannot be"
            " judged fairly; it comes from a time in which the data had an event time: give the"
            " model another name"
        )
        return GateCheck(name="unseen", passed=False, detail=detail)
    detail = "the held-out rows are new to both: no version is ever fitted on that side"
    if snapshot.fair < snapshot.held:
        detail = (
            f"{snapshot.fair} of the {snapshot.held} held-out rows are new to both; on the others"
            " the champion, whose sides were drawn otherwise, may have been fitted"
        )
    return GateCheck(name="unseen", passed=True, detail=detail)


def _note_incident(facts: GateFacts) -> list[GateCheck]:
    if not facts.opponent.incident:
        return []
    stand_in = STAND_INS.get(facts.opponent.name, STAND_INS["dummy"])
    detail = f"INCIDENT: {facts.opponent.incident}; {stand_in} is the opponent instead"
    return [GateCheck(name="champion", passed=True, detail=detail)]


def _span(interval: Interval) -> str:
    return interval.text


def _check_better(facts: GateFacts, gate: Gate, unit: str) -> GateCheck:
    rule, opponent, comparison = gate.versus_champion, facts.opponent, facts.opponent.comparison
    name = f"versus {opponent.name}"
    if opponent.error:
        return GateCheck(
            name=name,
            passed=False,
            detail=f"the {opponent.name} could not be compared: {opponent.error}",
        )
    if comparison is None:
        return GateCheck(
            name=name, passed=False, detail=f"there is no comparison with the {opponent.name}"
        )
    problem = _find_fault(comparison, rule.metric, gate, opponent.name)
    if problem:
        return GateCheck(name=name, passed=False, detail=problem)
    proven = comparison.lower > 0 and comparison.difference > 0
    ours, theirs = (
        _number(comparison.challenger, comparison.opponent),
        _number(comparison.opponent, comparison.challenger),
    )
    draws = f"better in {comparison.p_better:.1%} of " + (
        f"the {comparison.blocks} folds"
        if comparison.unit == "folds"
        else f"resamples of {comparison.blocks} {comparison.unit}"
    )
    is_better = (
        f"is {'better' if proven else 'not proven better'} than the {opponent.name}'s"
        f" {theirs}{_behind(unit)}"
    )
    bound = f"{_gain(comparison, unit)} with {rule.confidence:.0%} confidence"
    detail = f"{rule.metric} {ours}{_behind(unit)} {is_better}: {bound}, {draws}"
    return GateCheck(name=name, passed=proven, detail=detail)


def _gain(comparison: Comparison, unit: str) -> str:
    """Return by how much the challenger is better, and at least; what has a unit is told in it."""
    if not unit:
        return f"by {comparison.difference:+.4g}, at least {comparison.lower:+.4g}"
    change = comparison.challenger - comparison.opponent
    way = "less" if change < 0 else "more"
    return f"{abs(change):.4g} {unit} {way}, better by at least {comparison.lower:+.4g} {unit}"


def _check_guard(facts: GateFacts, metric: str, gate: Gate, unit: str) -> GateCheck:
    """Check that the challenger is proven to be worse by no more than the guard's share of the
    opponent's value.
    """
    opponent, comparison, share = (
        facts.opponent,
        facts.opponent.guards.get(metric),
        gate.guards[metric],
    )
    name = f"guard {metric}"
    if opponent.error or comparison is None:
        return GateCheck(
            name=name,
            passed=False,
            detail=f"there is no comparison with the {opponent.name} in {metric}",
        )
    problem = _find_fault(comparison, metric, gate, opponent.name)
    if problem:
        return GateCheck(name=name, passed=False, detail=problem)
    allowance = share * abs(comparison.opponent)
    within = comparison.lower >= -allowance and comparison.difference >= -allowance
    ours, theirs = (
        _number(comparison.challenger, comparison.opponent),
        _number(comparison.opponent, comparison.challenger),
    )
    bound = f"{_gain(comparison, unit)} with {comparison.confidence:.0%} confidence"
    limit = (
        f"{'within' if within else 'beyond'} the {share:.3g} of it that gate.guards allows it to be"
        " worse"
    )
    return GateCheck(
        name=name,
        passed=within,
        detail=(
            f"{metric} {ours}{_behind(unit)} against the {opponent.name}'s {theirs}"
            f"{_behind(unit)}: {bound}, {limit}"
        ),
    )


def _find_fault(comparison: Comparison, metric: str, gate: Gate, opponent: str) -> str:
    """Return in words why a comparison proves nothing; empty where it may be looked at."""
    if comparison.metric != metric or comparison.confidence != gate.versus_champion.confidence:
        return f"the comparison with the {opponent} is not the one that the gate asks for"
    if not all(
        isfinite(v)
        for v in (
            comparison.challenger,
            comparison.opponent,
            comparison.difference,
            comparison.lower,
        )
    ):
        return f"{metric} versus the {opponent} is missing or not finite"
    return ""


def _number(value: float, other: float | None = None) -> str:
    """Return the value with three decimals, or as many (up to 17 digits) as are needed to tell it
    apart from the other one.
    """
    if abs(value) >= 1e6:  # noqa: PLR2004 -- where decimals say nothing
        return f"{value:.6g}"
    if other is None or value == other:
        return f"{value:.3f}"
    texts = ((f"{value:.{digits}f}", f"{other:.{digits}f}") for digits in range(3, 17))
    return next((ours for ours, theirs in texts if ours != theirs), repr(float(value)))
