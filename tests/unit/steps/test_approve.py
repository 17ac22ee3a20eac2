"""`approve`: a person's answer, in the ledger; without a yes nothing is packaged."""

from __future__ import annotations

import pytest

from pipelines import approvals
from pipelines.errors import RequestError
from pipelines.ledger import Approval, Override, outcomes
from pipelines.messages import Answer, ApproveRequest
from pipelines.steps import approve, deploy, package
from tests.decisions import gate_verdict
from tests.unit.steps.deployments import MODEL, deploy_request, world_to_deploy
from tests.unit.steps.packaging import PackageRequest

RUN = "run1"
AT = "2026-01-02T00:00:00Z"
UNTIL = "2026-01-02T12:00:00Z"


def world(**gate):
    learnt = world_to_deploy()
    context = learnt.context
    rules = context.spec.gate.model_copy(update={"approval": "required", **gate})
    spec = context.spec.model_copy(update={"gate": rules})
    object.__setattr__(context, "spec", spec)
    context.ports.ledger.append(MODEL, RUN, gate_verdict(version="1"))
    return learnt


def promoted(learnt):
    return deploy_request(learnt, "1", None).gate


def answer(learnt, choice="Approve", by="ann", version="1", **facts):
    said = {"version": version, "choice": choice, "by": by, "at": AT, "until": UNTIL, **facts}
    given = Answer.model_validate(said)
    return approve.run(learnt.context, ApproveRequest(run=RUN, gate=promoted(learnt), answer=given))


def entries(learnt):
    return [e.read(Approval) for e in learnt.context.ports.ledger.entries(MODEL, "approval")]


def test_a_yes_is_entered_with_who_and_when_and_lets_it_go_on():
    learnt = world()
    assert answer(learnt) == promoted(learnt)
    assert answer(learnt) == promoted(learnt), "a retry"
    (entry,) = entries(learnt)
    assert (entry.version, entry.approved, entry.by, entry.why) == ("1", True, "ann", "")
    assert entry.answered_at.isoformat() == "2026-01-02T00:00:00+00:00"
    approvals.expect(learnt.context, RUN, "1")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"choice": "Reject"}, "ann did not approve it"),
        ({"choice": "Reject", "by": ""}, f"nobody approved it by {UNTIL}"),
        ({"choice": "Approve", "by": ""}, f"nobody approved it by {UNTIL}"),
        (
            {"at": "2026-01-02T12:00:00.000001Z"},
            f"ann answered after the time-out, which was {UNTIL}",
        ),
        ({"by": "eve", "by_id": "3"}, "eve may not approve it: approvers are ann"),
    ],
)
def test_all_else_is_a_refusal_in_words(said, why):
    learnt = world(approvers=["ann"])
    result = answer(learnt, **said)
    assert (result.verdict, result.reasons) == ("refuse", [why])
    assert [(e.approved, e.why) for e in entries(learnt)] == [(False, why)]
    with pytest.raises(RequestError, match=why):
        approvals.expect(learnt.context, RUN, "1")


def test_an_answer_on_another_version_or_of_another_run_counts_for_nothing():
    learnt = world()
    with pytest.raises(RequestError, match="The answer is on version 2"):
        answer(learnt, version="2")
    assert entries(learnt) == []
    answer(learnt)
    for run, version in [("run2", "1"), (RUN, "2")]:
        with pytest.raises(RequestError, match="may not serve"):
            approvals.expect(learnt.context, run, version)


def test_the_first_answer_of_a_run_counts_whatever_comes_later():
    learnt = world()
    answer(learnt, choice="Reject")
    assert answer(learnt).verdict == "refuse"
    assert [e.approved for e in entries(learnt)] == [False]
    with pytest.raises(RequestError, match="ann did not approve it"):
        approvals.expect(learnt.context, RUN, "1")


def test_a_run_that_was_answered_needs_no_answer_to_go_on():
    """A cleared `ask` is skipped then, and gives none."""
    learnt = world()
    without = ApproveRequest(run=RUN, gate=promoted(learnt))
    with pytest.raises(RequestError, match="The answer is missing"):
        approve.run(learnt.context, without)
    answer(learnt)
    assert approve.run(learnt.context, without) == promoted(learnt)
    assert len(entries(learnt)) == 1


def test_a_refusal_of_the_gate_passes_through():
    learnt = world()
    refused = promoted(learnt).model_copy(update={"verdict": "refuse", "reasons": ["no"]})
    assert approve.run(learnt.context, ApproveRequest(run=RUN, gate=refused)) == refused
    assert entries(learnt) == []


def test_a_verdict_that_the_ledger_does_not_hold_cannot_be_approved():
    learnt = world()
    other = promoted(learnt).model_copy(update={"version": "3"})
    with pytest.raises(RequestError, match="holds no promotion of version 3"):
        approve.run(learnt.context, ApproveRequest(run=RUN, gate=other))


def test_package_and_deploy_look_for_the_approval_themselves():
    learnt = world()
    request = deploy_request(learnt, "1", None)
    with pytest.raises(RequestError, match="nobody has approved it in this run"):
        deploy.run(learnt.context, request)
    wants = PackageRequest(run=RUN, features=learnt.built, train=[], gate=request.gate)
    with pytest.raises(RequestError, match="nobody has approved it in this run"):
        package.run(learnt.context, wants)
    assert outcomes.find_outcome(learnt.context.ports.ledger, MODEL, RUN) is None


def test_a_version_shows_what_people_said_of_it_last_an_override():
    learnt = world()
    ledger = learnt.context.ports.ledger
    [verdict] = ledger.entries(MODEL, "verdict")
    assert approvals.marks_of(ledger, MODEL).on(verdict) is None
    answer(learnt, choice="Reject")
    marks = approvals.marks_of(ledger, MODEL)
    assert marks.on(verdict) == ("not approved", "ann did not approve it")
    over = Override(version="1", by="bob", reason="we must", refused_by=RUN, reasons=["no"])
    ledger.append(MODEL, "override:x", over)
    marks = approvals.marks_of(ledger, MODEL)
    assert marks.on(verdict) == ("override", "refused, and overridden by bob: we must")
    assert marks.on(ledger.entries(MODEL, "approval")[0]) is None, "it says so itself"
    assert marks.of("2") is None
    approvals.expect(learnt.context, "any", "1")
