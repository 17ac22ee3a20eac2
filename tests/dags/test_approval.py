"""The question whether a version may serve: when it is asked, what it shows, what comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput
from perennial_airflow.approval_operator import AskApproval, question
from perennial_airflow.dags.retrain import retrain

from pipelines.intervals import iso
from pipelines.ledger import Approval
from pipelines.messages import Answer, GateCheck, GateResult
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from tests.dags.specs import make_spec

HOSTILE = (
    "<img src=x onerror=alert(1)> [free](javascript:1)\n\n# Approve {{ 7 * 7 }} \u202e http://e"
)
RUN = "manual__1"
CONTEXT = {"run_id": RUN, "task_instance": SimpleNamespace(id="ti")}
UNTIL = datetime(2026, 1, 3, 4, 5, tzinfo=UTC)


def verdict(**facts):
    return GateResult.model_validate(
        {
            "verdict": "promote",
            "reasons": [],
            "checks": [GateCheck(name="roc_auc", passed=True, detail=HOSTILE)],
            "candidate": "linear",
            "run_id": "r",
            "version": "7",
            "metrics": {"roc_auc": 0.81234567},
            "champion": "6",
            **facts,
        }
    )


def ask(result, approvers=()):
    return AskApproval(
        task_id="ask",
        model="demo",
        gate=result.model_dump(mode="json"),
        approvers=list(approvers),
        within=timedelta(hours=2),
    )


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What Airflow is asked to show, in a home with an empty ledger."""
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path))
    shown = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail",
        lambda **fields: shown.update(fields),
    )
    return shown


@pytest.fixture(scope="module")
def dag():
    return retrain(
        make_spec(gate=", approval: required, approval_within: 2h, approvers: [ann, bob]")
    )


def test_the_question_stands_between_verdict_and_package(dag):
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream["ask"] == {"gate"}
    assert upstream["approve"] == {"gate", "ask"}
    assert upstream["package"] == {"features", "train", "approve"}
    assert upstream["deploy"] == {"approve", "package"}
    assert upstream["close"] == {"features", "train", "gate", "approve", "deploy"}
    assert dag.get_task("package").skip_unless == {"gate": {"verdict": "promote"}}
    assert dag.get_task("approve").trigger_rule.value == "none_failed"
    task = dag.get_task("ask")
    assert (task.response_timeout, task.defaults) == (timedelta(hours=2), ["Reject"])
    assert [user["id"] for user in task.assigned_users] == ["ann", "bob"]
    assert tuple(task.template_fields) == ()
    assert "no answer in 2h: a no" in dag.doc_md


def test_without_the_word_nobody_is_asked():
    assert {"ask", "approve"}.isdisjoint(retrain(make_spec()).task_ids)


def test_a_refusal_asks_nobody(asked):
    with pytest.raises(AirflowSkipException, match="not promoted: too few rows"):
        ask(verdict(verdict="refuse", reasons=["too few rows"])).execute(CONTEXT)
    assert asked == {}


def test_it_asks_with_the_verdict_in_view_and_waits(asked):
    before = datetime.now(UTC)
    with pytest.raises(TaskAwaitingInput) as waits:
        ask(verdict(), ["ann"]).execute(CONTEXT)
    assert waits.value.timeout == timedelta(hours=2)
    assert waits.value.kwargs["version"] == "7"
    until = datetime.fromisoformat(waits.value.kwargs["until"])
    assert timedelta(0) <= until - before - timedelta(hours=2) < timedelta(minutes=1)
    assert "If nobody answers within 2h, version 6 serves on." in asked["body"]
    assert asked["subject"] == "May version 7 of demo serve?"
    assert "/perennial/pages/demo/verdict/manual__1)" in asked["body"]
    assert "roc_auc: 0.812346" in asked["body"]
    assert (asked["options"], asked["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert asked["assigned_users"] == [{"id": "ann", "name": "ann"}]


def test_no_text_of_others_is_markdown():
    body = question("demo", "x](javascript:1)", verdict(choice=HOSTILE), timedelta(days=1))
    for line in body.splitlines():
        if "<" in line or ("javascript:1)" in line and "](/perennial" not in line):
            assert line.startswith("-     "), line
    assert "\u202e" not in body
    assert "\n# " not in body


@pytest.mark.parametrize(
    ("user", "by"), [({"id": "1", "name": "ann"}, ("ann", "1")), (None, ("", ""))]
)
def test_the_answer_says_who_when_and_on_which_version(user, by):
    event = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime(2026, 1, 2, tzinfo=UTC),
        "responded_by_user": user,
    }
    said = ask(verdict()).execute_complete(CONTEXT, event, version="7", until=iso(UNTIL))
    answer = Answer.model_validate(said)
    assert (answer.version, answer.choice, answer.by, answer.by_id) == ("7", "Approve", *by)
    assert (answer.at, answer.until) == (datetime(2026, 1, 2, tzinfo=UTC), UNTIL)


@pytest.mark.parametrize(
    ("approved", "why", "said"), [(True, "", "approved by ann"), (False, "ann: no", "ann: no")]
)
def test_a_run_that_was_answered_is_not_asked_again(asked, approved, why, said):
    ledger = ConfiguredPorts(load_settings()).ledger
    answer = Approval(version="7", approved=approved, by="ann", answered_at=UNTIL, why=why)
    ledger.append("demo", RUN, answer)
    with pytest.raises(AirflowSkipException, match=f"Answered already: {said}"):
        ask(verdict()).execute(CONTEXT)
    assert asked == {}
    with pytest.raises(TaskAwaitingInput):
        ask(verdict()).execute({**CONTEXT, "run_id": "manual__2"})
