"""`report`: green with what came of a window, red where a person must look, always by name."""

from __future__ import annotations

import pytest

from pipelines.errors import BadData, GiveUp
from pipelines.ledger import Outcome, Turn, outcomes
from pipelines.messages import DecideResult, ReportRequest
from pipelines.refs import canonical
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import report
from tests.decisions import crown
from tests.unit.steps.verdicts import drifted, started

RUN = "drift__sales__2024-01-05T00:00:00Z"
NO = DecideResult(start=False, why="cooldown: 7 days", run_id="", conf={})


@pytest.fixture
def context(world, ports):
    ports.ledger.crown("sales", expected=None, champion=crown("1"), key="first")
    return world.context(ports)


def said(context, drift_result, decided=NO, state=None):
    retrain = {"run_id": decided.run_id, "state": state} if state else None
    return report.run(
        context, ReportRequest(run="watch", drift=drift_result, decide=decided, retrain=retrain)
    )


def ended(context, outcome, version="2", reasons=()):
    outcomes.record(
        context.ports.ledger,
        "sales",
        RUN,
        Outcome(outcome=outcome, version=version, reasons=list(reasons)),
    )


@pytest.mark.parametrize("verdict", ["no_drift", "not_enough_data"])
def test_nothing_to_do(context, verdict):
    report_result = said(context, drifted(3, verdict))
    assert report_result.outcome == "nothing_to_do"
    assert "the channel is another one" in report_result.said


def test_a_drift_that_was_held_back_says_why(context):
    report_result = said(context, drifted(3))
    assert report_result.outcome == "held_back"
    assert "the channel is another one" in report_result.said
    assert "cooldown: 7 days" in report_result.said


def test_an_alarm_is_red_with_its_reasons(context):
    with pytest.raises(
        BadData, match=r"ALARM: sales, window 2024-01-04T00:00:00Z.*the channel is another one"
    ) as caught:
        said(context, drifted(3, "alarm"))
    assert "no retraining was started" in caught.value.remedy


def test_deployed(context):
    ended(context, "deployed")
    report_result = said(context, drifted(3), started(3), "success")
    assert (report_result.outcome, report_result.said) == (
        "deployed",
        f"The retraining {RUN} of sales deployed version 2.",
    )


def test_a_refused_retraining_leaves_the_champion_and_says_so(context):
    ended(context, "refused", reasons=["roc_auc 0.5 is below 0.6", "not better"])
    report_result = said(context, drifted(3), started(3), "success")
    assert report_result.outcome == "refused"
    assert "roc_auc 0.5 is below 0.6; not better" in report_result.said
    assert "version 1 serves on" in report_result.said


@pytest.mark.parametrize(
    ("outcome", "state", "words"),
    [
        pytest.param("failed", "failed", "failed: the run ended before", id="with its outcome"),
        pytest.param(None, "failed", "failed: see its log", id="without one"),
        pytest.param(None, "success", "left no outcome", id="green, but the ledger knows nothing"),
        pytest.param(None, None, "left no outcome", id="nothing is known of it"),
    ],
)
def test_a_failed_retraining_is_named_with_the_way_to_clear_it(context, outcome, state, words):
    if outcome:
        ended(
            context, outcome, version="", reasons=["the run ended before its challenger was judged"]
        )
    with pytest.raises(GiveUp, match=words) as caught:
        said(context, drifted(3), started(3), state)
    assert f"DAG retrain_sales, run {RUN}" in caught.value.message
    assert "Version 1 serves on" in caught.value.message
    assert "clear the failed tasks" in caught.value.remedy
    assert "clear `await` and this task" in caught.value.remedy
    assert caught.value.exit_code == 65


def test_a_failed_retraining_that_was_cleared_and_mended_is_deployed(context):
    ended(context, "failed", version="", reasons=["the disk was full"])
    ended(context, "deployed")
    assert said(context, drifted(3), started(3), "success").outcome == "deployed"


def test_what_the_ledger_knows_counts_before_the_state_that_was_waited_for(context):
    ended(context, "refused", reasons=["not better"])
    assert said(context, drifted(3), started(3), "failed").outcome == "refused"


def test_a_refusal_that_was_cleared_and_then_failed_is_a_failure(context):
    ended(context, "refused", reasons=["not better"])
    ended(context, "failed", version="", reasons=["the disk was full"])
    with pytest.raises(GiveUp, match="failed: the disk was full"):
        said(context, drifted(3), started(3), "failed")


def test_what_is_said_stays_small(context):
    ended(context, "refused", reasons=["x" * 10_000] * 50)
    report_result = said(context, drifted(3), started(3), "success")
    assert len(canonical(report_result)) < XCOM_LIMIT


def test_a_retraining_that_the_budget_declined_was_held_back(context):
    why = "the day's budget is used up: 3 of 3 retrainings have begun (UTC)"
    turn = Turn(run=RUN, event="declined", why=why)
    context.ports.ledger.append("sales", f"{RUN}:1:declined", turn)
    result = said(context, drifted(3), started(3), "success")
    assert result.outcome == "held_back"
    assert result.said == f"The retraining {RUN} of sales did not begin: {why}."
