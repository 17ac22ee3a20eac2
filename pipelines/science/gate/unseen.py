"""Are the rows that judge new to the challenger and to the champion?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.messages import GateCheck

if TYPE_CHECKING:
    from pipelines.science.gate.facts import GateFacts, SnapshotFacts


def check_unseen(facts: GateFacts) -> GateCheck:
    """Check that neither model was fitted on the rows that judge, as far as is known."""
    if facts.snapshot is None:
        return _check_overlap(facts)
    return _check_sides(facts, facts.snapshot)


def _check_overlap(facts: GateFacts) -> GateCheck:
    """Check that the held-out rows are new to the challenger and to the champion that it is
    compared with.
    """
    if facts.name and facts.fitted_on is None:
        detail = (
            f"it is not known on which rows {facts.name} was fitted, so it cannot be judged; clear"
            " `train` and run again"
        )
        return _refuse(detail, "a run in which `train` ran again")
    spans = [
        (facts.name, facts.fitted_on),
        (f"the {facts.opponent.name}", facts.opponent.fitted_on),
    ]
    overlaps = [
        f"{who} was fitted on ({span.text})"
        for who, span in spans
        if span is not None and span.overlaps(facts.holdout)
    ]
    if overlaps:
        detail = (
            f"the held-out rows ({facts.holdout.text}) overlap what"
            f" {' and what '.join(overlaps)}, so it cannot be judged fairly{_way_out(facts)}"
        )
        return _refuse(detail, _newer_rows(facts))
    return GateCheck(name="unseen", passed=True, detail="the held-out rows are new to both")


def _refuse(detail: str, would_pass: str) -> GateCheck:
    return GateCheck(name="unseen", passed=False, detail=detail, would_pass=would_pass)


def _newer_rows(facts: GateFacts) -> str:
    ends = [span.end for span in (facts.fitted_on, facts.opponent.fitted_on) if span is not None]
    return f"held-out rows from {iso(max(ends))} on" if ends else "held-out rows new to both"


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
        return _refuse(detail, "a run in which `train` ran again")
    if not snapshot.champion_sides:
        detail = (
            "it is not known which of the held-out rows the champion was fitted on, so it cannot be"
            " judged fairly; it comes from a time in which the data had an event time: give the"
            " model another name"
        )
        return _refuse(detail, "another name of the model")
    detail = "the held-out rows are new to both: no version is ever fitted on that side"
    if snapshot.fair < snapshot.held:
        detail = (
            f"{snapshot.fair} of the {snapshot.held} held-out rows are new to both; on the others"
            " the champion, whose sides were drawn otherwise, may have been fitted"
        )
    return GateCheck(name="unseen", passed=True, detail=detail)
