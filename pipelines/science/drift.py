"""The decision on drift.

One pure function from the facts of a window to a verdict: new rules belong here.

It fails closed. Something broken (the schema, a value that no model can be fed, the look itself) is
an alarm and never a verdict on drift; too few rows are no verdict at all, nor is a window of which
no test can say anything; and where nothing could be compared, that is an alarm, not `no_drift`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.plurals import how_many
from pipelines.science.drift_reasons import (
    explain_changes,
    explain_flags,
    explain_gaps,
    explain_no_drift,
    explain_own_rules,
    explain_performance,
    explain_silence,
)
from pipelines.science.family_words import is_better

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.drift_facts import DriftFacts
    from pipelines.spec.drift import Drift

    Array = NDArray[Any]

Verdict = Literal["no_drift", "drift", "alarm", "not_enough_data"]

_REASONS = 12
"""Broken things that an alarm names: reasons travel in 8 kB with everything else."""


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
        rows = "no rows" if facts.rows == 0 else how_many(facts.rows, "row")
        return Decision(
            "not_enough_data",
            [f"the window holds {rows}; a verdict needs at least {rules.min_rows:,} (min_rows)"],
        )
    reasons = [
        *explain_gaps(facts, rules),
        *explain_changes(facts),
        *explain_own_rules(facts, rules),
        *explain_performance(facts, rules),
    ]
    flags = explain_flags(facts)
    if flags and facts.flags is not None and facts.flags.share > facts.flags.rate:
        # Whether the world has changed or anomalies are more, no model can tell: learning from them
        # would make them usual. So a person must look, and nothing is retrained by itself.
        return Decision("alarm", [*flags, *reasons])
    reasons += flags
    if reasons:
        return Decision("drift", reasons)
    return _without_reasons(facts, rules)


def is_worse(facts: DriftFacts) -> bool | None:
    """Tell whether the champion's answers are worse than they were on its holdout.

    By the test of single answers, or by the tolerance that the spec gives; None where neither could
    say it.
    """
    test = next((f for f in facts.families if f.family == "performance"), None)
    rule = facts.performance
    told = [test is not None and test.said != "cannot_be_said"]
    told.append(rule is not None and None not in (rule.tolerance, rule.good_end, rule.expected))
    if not any(told):
        return None
    by_test = test is not None and test.said == "changed" and not is_better(test)
    return by_test or (rule is not None and rule.worse)


def _without_reasons(facts: DriftFacts, rules: Drift) -> Decision:
    """Return what is said of a window without a reason: no drift, or that nobody can tell."""
    compared = facts.columns_with_score or facts.performance or facts.predictions or facts.flags
    if not compared:
        words = "nothing could be compared: no input, no predictions, no labels"
        return Decision("alarm", [words, *facts.notes])
    if facts.flags is None and all(f.said == "cannot_be_said" for f in facts.families):
        return Decision("not_enough_data", [*explain_silence(facts), *facts.notes])
    return Decision("no_drift", [explain_no_drift(facts, rules), *facts.notes])
