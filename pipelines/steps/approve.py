"""Write a person's answer on a promoted version into the ledger; without a yes it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import approvals, run_ending
from pipelines.cards.publish import publish_card
from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.ledger import Approval, GateVerdict
from pipelines.messages import ApproveRequest, GateResult
from pipelines.verdicts import words

if TYPE_CHECKING:
    from pipelines.messages import Answer


def run(context: Context, request: ApproveRequest) -> GateResult:
    """Return the gate's result as it is after the answer: promoted still, or refused with who.

    A refusal asks nobody and stays as it is. A run has one answer: the first that the ledger holds
    counts, whatever a later request says. Raises RequestError where the ledger holds no such
    verdict of this run, or where the answer is missing or on another version.
    """
    result = request.gate
    if result.verdict != "promote":
        return result
    _expect_promotion(context, request)
    ledger, name = context.ports.ledger, context.spec.name
    approval = approvals.find(ledger, name, request.run)
    if approval is None:
        given = _approval(context, request)
        approval = ledger.append(name, request.run, given).read(Approval)
    tags = {
        "approved_by": approval.by if approval.approved else "",
        "approval": approval.why or "approved",
        "approval_at": iso(approval.answered_at),
    }
    context.ports.registry.log(result.run_id, params={}, metrics={}, tags=tags)
    if not approval.approved:
        result = result.model_copy(update={"verdict": "refuse", "reasons": [approval.why]})
    run_ending.amend(context, request.run, result)
    publish_card(context, result.version)
    return result


def _expect_promotion(context: Context, request: ApproveRequest) -> None:
    """Raise RequestError unless this run's verdict has promoted the version of the request."""
    name, version = context.spec.name, request.gate.version
    entry = context.ports.ledger.find(name, "verdict", request.run)
    verdict = entry.read(GateVerdict) if entry is not None else None
    if verdict is None or (verdict.verdict, verdict.version) != ("promote", version):
        raise RequestError(
            f"The ledger holds no promotion of version {version} of {name} by the run"
            f" {request.run}.",
            remedy="run `gate` of this run first.",
        )


def _approval(context: Context, request: ApproveRequest) -> Approval:
    """Return the entry that an answer makes, which must be on the version of the verdict."""
    answer, version = request.answer, request.gate.version
    if answer is None or answer.version != version:
        of = f"on version {answer.version}" if answer else "missing"
        raise RequestError(
            f"The answer is {of}; asked is whether version {version} of {context.spec.name} may"
            " serve.",
            remedy=f"clear the task `ask` of retrain_{context.spec.name}: it asks anew.",
        )
    why = _why_not(context, answer)
    return Approval(version=version, approved=not why, by=answer.by, answered_at=answer.at, why=why)


def _why_not(context: Context, answer: Answer) -> str:
    """Return in words why the answer is no yes; empty where it is one."""
    approvers = context.spec.gate.approvers
    until = iso(answer.until.replace(microsecond=0))
    if not answer.by:
        return words.nobody_approved(until)
    if answer.at > answer.until:
        return f"{answer.by} answered after the time-out, which was {until}"
    if approvers and not {answer.by, answer.by_id} & set(approvers):
        return f"{answer.by} may not approve it: approvers are {', '.join(approvers)}"
    return "" if answer.choice == "Approve" else f"{answer.by} did not approve it"
