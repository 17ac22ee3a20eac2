"""The HTML page of a drift check: the verdict first, then what it stands on.

Self-contained, without scripts, all escaped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipelines.science.claim_words import is_less_true, sort_claims, tell_claim
from pipelines.science.drift_reasons import score_text, strength, values_gone, values_new
from pipelines.science.family_words import is_better, tell_family, tell_statistic
from pipelines.spec.drift import P_VALUES
from pipelines.templates import fill
from pipelines.verdicts.words import MEANINGS, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.intervals import Interval
    from pipelines.science.changes.facts import FamilyChange
    from pipelines.science.drift import Decision
    from pipelines.science.drift_facts import ColumnFact, DriftFacts
    from pipelines.science.live_performance import PerformanceFact
    from pipelines.spec.drift import Drift

_TEMPLATE = Path(__file__).with_name("page.html")
_SOURCES = {"traffic": "served traffic", "batches": "ingested batches"}
_WIDTH, _THRESHOLD = 180.0, 60.0
"""Pixels of a bar, and where in it the threshold stands.

What lies further out than three thresholds fills the bar.
"""
_SAID = {"changed": "changed", "unchanged": "unchanged", "cannot_be_said": "cannot be said"}
_LEFT, _RIGHT = 60.0, 660.0
"""Where the least and the greatest value of the performance plot stand."""


@dataclass(frozen=True)
class About:
    """Whose window it is.

    `champion` is None where nothing serves, `labelled` where the model has no labels;
    `counts` are further figures to show, by name.
    """

    model: str
    window: Interval
    source: Literal["traffic", "batches"]
    champion: str | None
    labelled: int | None
    counts: Mapping[str, int | str] = field(default_factory=dict)


def render(
    about: About,
    facts: DriftFacts,
    decision: Decision,
    rules: Drift,
    *,
    href: str | None,
    how_to_make: str = "",
    explanation: str = "",
    before_labels: str = "",
) -> str:
    """Return the page; the same facts give the same page.

    `href` leads to Evidently's page; None where there is none, and `how_to_make` is then the
    command that makes it, "" where none does. `explanation` is the part that tells cause and
    effect, and `before_labels` the one that tells an estimate of the metric, as HTML.
    """
    verdict, meaning = plain(decision.verdict).capitalize(), MEANINGS[decision.verdict]
    inputs = [_column(c, _values(c, facts, rules)) for c in facts.columns]
    inputs.sort(key=lambda c: (not c["flag"], -strength(c["fact"]), c["fact"].name))
    return fill(
        _TEMPLATE,
        title=f"Drift of {about.model}",
        about=_about(about),
        facts=facts,
        rules=rules,
        decision=decision,
        verdict=verdict,
        meaning=meaning,
        href=href,
        how_to_make=how_to_make,
        explanation=explanation,
        before_labels=before_labels,
        notes=[n for n in facts.notes if n not in decision.reasons],
        performance=_performance(facts.performance, rules) if facts.performance else None,
        more_broken=any(b not in decision.reasons for b in facts.broken),
        families=[_family(f) for f in facts.families],
        whole=[_family(f) for f in facts.whole.families] if facts.whole else [],
        claims=_claims(facts),
        columns=(
            ([{**_column(facts.predictions, ""), "whole": True}] if facts.predictions else [])
            + inputs
        ),
    )


def _about(about: About) -> dict[str, Any]:
    start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (about.window.start, about.window.end))
    return {**vars(about), "start": start, "end": end, "source_words": _SOURCES[about.source]}


def _values(fact: ColumnFact, facts: DriftFacts, rules: Drift) -> str:
    if values_gone(fact, facts.rows, rules):
        return "values missing"
    return "new values" if values_new(fact, rules) else ""


def _family(family: FamilyChange) -> dict[str, Any]:
    """Return what a family of tests says, as the page's table has it."""
    return {
        "name": tell_family(family.family),
        "said": "better" if family.said == "changed" and is_better(family) else family.said,
        "words": _SAID[family.said],
        "level": f"{100 * family.level:.3g}%",
        "p_value": "" if family.p_value is None else f"{family.p_value:.3g}",
        "null": family.untold or family.null,
    }


def _claims(facts: DriftFacts) -> list[dict[str, Any]]:
    """Return what answers claim, in words, and whether that has changed."""
    columns = [c for f in facts.families if f.family == "performance" for c in f.columns]
    return [
        {
            "words": tell_claim(claim, columns),
            "changed": claim.changed,
            "truer": claim.changed and not is_less_true(claim),
            "p_value": "" if claim.p_value is None else f"{claim.p_value:.3g}",
        }
        for claim in sort_claims(columns)
    ]


def _seen_by(fact: ColumnFact) -> str:
    """Return which statistic decided, and how likely it is by chance; "" where none did."""
    if fact.p_value is None:
        return ""
    what = tell_statistic(fact.seen_by)
    return (
        f"p {fact.p_value:.3g}" if fact.seen_by == fact.method else f"p {fact.p_value:.3g}, {what}"
    )


def _column(fact: ColumnFact, values: str) -> dict[str, Any]:
    far = strength(fact)
    return {
        "fact": fact,
        "whole": False,
        "flag": values,
        "remark": ", ".join(
            [
                *(["changed"] if fact.drifted else []),
                *(["beyond the spec's own threshold"] if fact.passed else []),
                *([values] if values else []),
            ]
        ),
        "seen_by": _seen_by(fact),
        "p_value": fact.method in P_VALUES,
        "score": score_text(fact),
        "threshold": "" if fact.threshold is None else f"{fact.threshold:.3g}",
        "width": None
        if not fact.score or fact.threshold is None
        else round(max(0.0, min(far * _THRESHOLD, _WIDTH)), 1),
        "times": f"{far:.2f} times",
        "missing": f"{fact.missing:.1%}",
        "missing_reference": f"{fact.missing_reference:.1%}",
    }


def _performance(fact: PerformanceFact, rules: Drift) -> dict[str, Any]:
    """Return where things stand in the plot, and the same in words."""
    greater = fact.rises
    marks = [v for v in (fact.live, fact.bad_end, fact.good_end, fact.expected) if v is not None]
    low, reach = min(marks), max(marks) - min(marks)

    def at(value: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * ((value - low) / reach if reach else 0.5), 1)

    ends = (fact.bad_end, fact.good_end)
    span = sorted(at(v) for v in ends if v is not None)
    return {
        "metric": fact.metric,
        "rows": fact.rows_in_words,
        "greater": greater,
        "worse": fact.worse,
        "span": span if len(span) == len(ends) else None,
        "live": at(fact.live),
        "live_text": f"{fact.live:.4g}",
        "live_anchor": _anchor(at(fact.live)),
        "expected": None if fact.expected is None else at(fact.expected),
        "expected_text": "" if fact.expected is None else f"{fact.expected:.4g}",
        "expected_anchor": "middle" if fact.expected is None else _anchor(at(fact.expected)),
        "words": _in_words(fact, rules, "lower" if greater else "higher"),
    }


def _anchor(x: float) -> str:
    """Return which side of a text stands at x, so that it stays within the plot."""
    edge = (_RIGHT - _LEFT) / 10
    return "start" if x < _LEFT + edge else "end" if x > _RIGHT - edge else "middle"


def _in_words(fact: PerformanceFact, rules: Drift, worse: str) -> str:
    rule = rules.performance
    text = f"Live it is {fact.live:.4g}{fact.behind}"
    if fact.good_end is not None:
        text += f", and {fact.good_end:.4g} at best (one-sided {rule.confidence:.0%} interval)"
    if fact.expected is None:
        return f"{text}. The champion promised nothing that it could be compared with."
    if fact.worse:
        end = f"even at best it is {worse} by more than that, both samples' errors counted"
    else:
        gain = fact.live - fact.expected
        is_kept = (gain if fact.rises else -gain) >= 0
        end = "that is kept" if is_kept else "that is not proven to be missed"
    tolerated = "" if fact.tolerance is None else f", and {fact.tolerance:.0%} {worse} is tolerated"
    return f"{text}. The champion promised {fact.expected:.4g}{tolerated}: {end}."
