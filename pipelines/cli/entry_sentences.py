"""Entries of the ledger in words, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.incidents.words import say_event
from pipelines.intervals import iso
from pipelines.ledger import (
    Admission,
    Alert,
    Approval,
    DriftCheck,
    Erasure,
    GateVerdict,
    IncidentEvent,
    Outcome,
    Override,
    PageRemoval,
    Proof,
    Quarantine,
    RetrainHold,
    RetrainRequest,
    StepOfRun,
    Turn,
)
from pipelines.verdicts import words
from pipelines.verdicts.explanations import in_short

if TYPE_CHECKING:
    from pipelines.approvals import Marks
    from pipelines.ledger import Entry


def marked_sentence(entry: Entry, marks: Marks) -> str:
    """Return an entry in words, with what people said of the version that it speaks of."""
    mark = marks.on(entry)
    return sentence(entry) + (f" [{mark.text}]" if mark else "")


def sentence(entry: Entry) -> str:  # noqa: C901, PLR0911, PLR0912 -- a case for each kind
    """Return an entry in words.

    One without words of its own, or of a kind that is not known here, shows its plain fields.
    """
    match entry.decision:
        case GateVerdict() as verdict:
            return _verdict(verdict)
        case DriftCheck() as check:
            return _drift(check)
        case Outcome() as outcome:
            version = f" version {outcome.version}" if outcome.version else ""
            return f"{outcome.outcome}{version}: {entry.run}" + _why(outcome.reasons)
        case Proof() as proof:
            return words.proof(proof.version, proof.differences, proof.causes, proof.rows)
        case Quarantine() as quarantine:
            return iso(quarantine.interval.start) + _why(quarantine.reasons)
        case Admission() as admission:
            return words.admission_entry(admission.interval.name, admission.by, admission.reason)
        case RetrainRequest() as request:
            return f"retraining {request.run_id} asked for" + _why(request.reasons)
        case RetrainHold() as hold:
            return f"no retraining for the window until {iso(hold.window.end)}: {hold.why}"
        case Approval() as answer:
            return f"version {answer.version}: {words.answered(answer.by, answer.why)}"
        case Override() as over:
            return words.override_entry(over.version, over.by, over.reason, over.reasons)
        case IncidentEvent() as event:
            return say_event(event)
        case StepOfRun() | Erasure() | Alert() | Turn() | PageRemoval() as step:
            return step.words
        case _:
            return entry.summary


def _verdict(verdict: GateVerdict) -> str:
    entry = words.gate_entry(
        verdict.candidate,
        verdict.version,
        verdict.reasons,
        verdict.started_because,
        verdict.sampled,
    )
    return f"{verdict.verdict}: {entry}"


def _drift(check: DriftCheck) -> str:
    rows = words.rows_seen(check.rows, check.source, check.labelled, check.champion, check.of)
    verdict, end = words.plain(check.verdict), iso(check.window.end)
    told = "".join(f"; {line}" for line in in_short(check.cause, check.effect))
    return f"{verdict}: window until {end} ({rows})" + _why(check.reasons) + told


def _why(reasons: list[str]) -> str:
    return f": {words.join(reasons)}" if reasons else ""
