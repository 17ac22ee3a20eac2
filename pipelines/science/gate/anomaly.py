"""What the gate looks at of an anomaly model beside its metrics: its promise, and agreement.

Where the metric that decides needs no truth, nobody can tell which of two models finds the true
anomalies, and nothing is proven better. The challenger then replaces the champion where its promise
holds on rows that are new to both, and the verdict says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.messages import GateCheck
from pipelines.science.enough import write_enough
from pipelines.spec.anomaly import needs_truth
from pipelines.tasks import UNPROVEN

if TYPE_CHECKING:
    from pipelines.science.anomaly import Agreement, FlagRate
    from pipelines.science.gate.facts import AnomalyFacts
    from pipelines.spec.gate import Gate


def check_anomalies(facts: AnomalyFacts, gate: Gate) -> list[GateCheck]:
    """Return what is checked of an anomaly model; nothing of any other."""
    blind = not needs_truth(gate.versus_champion.metric)
    if facts.flags is None:
        # Fail closed: a gate that is to look at the promise, and knows nothing of it, refuses.
        unknown = "the share of flagged rows is not known, so the promise cannot be judged"
        way = "held-out rows on which it can be measured"
        refused = GateCheck(name="flag rate", passed=False, detail=unknown, would_pass=way)
        return [refused] if blind else []
    checks = [_check_promise(facts.flags), *_note_labels(facts.flags, facts.labelled)]
    if blind:
        checks.append(_say_unproven(facts))
    return [*checks, *_check_overlap(facts.agreement, gate)]


def _check_promise(flags: FlagRate) -> GateCheck:
    if not flags.rows:
        return GateCheck(
            name="flag rate",
            passed=False,
            detail="there are no rows to judge on",
            would_pass="held-out rows (train.holdout)",
        )
    how = (
        "the promise is kept, as far as these rows can tell"
        if flags.is_kept
        else f"a kept promise would be so far off in {flags.chance:.2g} of such samples: it is"
        " broken, since these rows are not like those that set the threshold"
    )
    return GateCheck(
        name="flag rate",
        passed=flags.is_kept,
        detail=f"{flags.in_words}: {how}",
        value=flags.share,
        limit=flags.rate,
        would_pass=(
            ""
            if flags.is_kept
            else f"{write_enough(abs(flags.share - flags.rate))} of the rows flagged"
            f" {'less' if flags.share > flags.rate else 'more'}, or `train` on newer rows"
        ),
    )


def _note_labels(flags: FlagRate, labelled: int | None) -> list[GateCheck]:
    if labelled is None:
        return []
    detail = (
        f"{labelled:,} of the {flags.rows:,} held-out rows have a label; the other"
        f" {flags.rows - labelled:,} do not count in what needs the truth"
    )
    return [GateCheck(name="labels", passed=True, detail=detail)]


def _say_unproven(facts: AnomalyFacts) -> GateCheck:
    if not facts.versus_champion:
        detail = (
            "the metric that decides needs no label, so that nothing is proven of what it finds:"
            " its promise and the bounds decide"
        )
        return GateCheck(name=UNPROVEN, passed=True, detail=detail)
    detail = (
        "the metric that decides needs no label, so that it is not proven better than the champion,"
        " and cannot be; it takes its place where its promise and the bounds hold on these rows"
    )
    if facts.error:
        detail = f"the champion could not be compared: {facts.error}"
    way = "a champion that can answer" if facts.error else ""
    return GateCheck(name=UNPROVEN, passed=not facts.error, detail=detail, would_pass=way)


def _check_overlap(agreement: Agreement | None, gate: Gate) -> list[GateCheck]:
    if agreement is None:
        return []
    if gate.overlap is None:
        return [GateCheck(name="agreement", passed=True, detail=agreement.in_words)]
    passed = agreement.overlap >= gate.overlap
    side = "at or above" if passed else "below"
    bound = f"it is {side} the {gate.overlap:.0%} that gate.overlap asks for"
    found = GateCheck(
        name="agreement",
        passed=passed,
        detail=f"{agreement.in_words}; {bound}",
        value=agreement.overlap,
        limit=gate.overlap,
        would_pass=(
            ""
            if passed
            else f"an overlap greater by {write_enough(gate.overlap - agreement.overlap)}"
        ),
    )
    return [found]
