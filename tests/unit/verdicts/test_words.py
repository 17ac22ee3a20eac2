"""Verdicts as people read them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from pipelines.messages import DeployResult, GateResult, ReportResult, TrainResult
from pipelines.tasks import UNPROVEN
from pipelines.verdicts import page, words
from tests.unit.steps.verdicts import drifted


def judged(**more: object) -> GateResult:
    facts = {
        "verdict": "refuse",
        "reasons": ["0.51 of 0.58"],
        "checks": [
            {"name": "floor", "passed": False, "detail": "0.51 of 0.58"},
            {"name": "rows", "passed": True, "detail": "400 of 100"},
        ],
        "candidate": "linear",
        "run_id": "",
        "version": "3",
        "metrics": {},
        "champion": "2",
    }
    return GateResult.model_validate({**facts, **more})


def text(lines: list[words.Line]) -> str:
    return "\n".join(line.text for line in lines)


def test_a_refusal_names_each_check_and_each_reason_once():
    lines = words.gate(judged())
    assert text(lines).splitlines() == [
        "Verdict on linear (version 3): REFUSE",
        "  FAIL floor: 0.51 of 0.58",
        "  ok   rows: 400 of 100",
    ]
    assert [line.level for line in lines] == [logging.INFO, logging.WARNING, logging.INFO]


def test_a_reason_that_no_check_gave_is_named_too():
    [*_, last] = words.gate(judged(checks=[], reasons=["the gate looked at nothing"]))
    assert last == (logging.WARNING, "  because the gate looked at nothing")


def test_an_incident_is_an_error_and_named_once():
    incident = "the champion, version 2, cannot answer (it is gone)"
    told = {
        "name": "champion",
        "passed": True,
        "detail": f"INCIDENT: {incident}; the best constant is the opponent instead",
    }
    lines = words.gate(judged(incident=incident, checks=[told]))
    assert lines[1] == (logging.ERROR, f"  INCIDENT: {incident}")
    assert text(lines).count(incident) == 1


def test_where_nobody_was_judged_the_verdict_says_so():
    nobody = judged(candidate="", version="", checks=[], reasons=["no candidate has a score"])
    assert text(words.gate(nobody)).splitlines() == [
        "Verdict on the challenger: REFUSE",
        "  because no candidate has a score",
    ]
    entry = words.gate_entry("", "", nobody.reasons, "")
    assert entry == "no challenger: no candidate has a score"


NAIVE = {"name": "versus seasonal naive", "passed": True, "detail": "better"}


@pytest.mark.parametrize(
    ("more", "who"),
    [
        ({}, "the champion, version 2"),
        ({"champion": None}, "the best constant, because no version serves yet"),
        (
            {"champion": None, "checks": [NAIVE]},
            "the seasonal naive forecast, because no version serves yet",
        ),
        (
            {"incident": "the champion, version 2, cannot answer (gone)"},
            "the best constant, because the champion, version 2, cannot answer",
        ),
    ],
)
def test_the_opponent_is_named_with_the_reason_where_it_is_no_champion(more, who):
    assert words.opponent(judged(**more)) == f"against {who}"


@pytest.mark.parametrize(
    ("candidate", "reasons", "said"),
    [
        ("linear", ["a", "b"], "The challenger linear was not promoted: a; b"),
        (None, [], "The challenger was not promoted: the gate gave no reason."),
    ],
)
def test_a_refusal_in_one_line(candidate, reasons, said):
    assert words.refusal(candidate, reasons) == said


@pytest.mark.parametrize(
    ("version", "built", "said"),
    [
        ("3", True, "version 3 was promoted, but not deployed"),
        (None, True, "the run ended before its challenger was judged"),
        (None, False, "the run ended before its features were built"),
    ],
)
def test_a_retraining_that_ended_early_says_how_far_it_came(version, built, said):
    assert words.how_it_ended(version, built=built) == said


def test_a_drift_says_which_window_what_was_seen_and_why():
    found = drifted(
        2,
        reasons=["2 of 4 inputs have drifted", "roc_auc 0.71 is worse than 0.83"],
        rows=1_240,
        live=0.71234,
        expected=0.8311,
        drifted=["pages", "minutes"],
    )
    lines = words.drift(found)
    assert text(lines).splitlines() == [
        "Verdict on the window from 2024-01-03T00:00:00Z to 2024-01-04T00:00:00Z: DRIFT",
        "  1,240 rows of traffic, 230 labelled, against version 1",
        "  roc_auc 0.7123 live, 0.8311 expected",
        "  2 of 4 inputs drifted: pages, minutes",
        "  because 2 of 4 inputs have drifted",
        "  because roc_auc 0.71 is worse than 0.83",
    ]
    assert {lines[0].level, lines[-1].level} == {logging.WARNING}


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        ("no_drift", logging.INFO),
        ("not_enough_data", logging.WARNING),
        ("alarm", logging.WARNING),
        ("drift", logging.WARNING),
    ],
)
def test_only_no_drift_is_no_warning(verdict, level):
    assert words.drift(drifted(2, verdict))[0].level == level


def test_a_window_without_champion_labels_or_inputs_is_told_without_them():
    nothing = {"champion": None, "live": None, "expected": None, "columns": 0, "drifted": []}
    said = text(words.drift(drifted(2, "not_enough_data", **nothing)))
    assert "NOT ENOUGH DATA" in said
    assert "without a champion" in said
    assert "live" not in said
    assert "inputs drifted" not in said


def test_a_report_is_one_sentence():
    assert words.report(ReportResult(outcome="held_back", said="the cooldown is not over.")) == [
        (logging.INFO, "HELD BACK: the cooldown is not over.")
    ]


@pytest.mark.parametrize(("previous", "before"), [("2", "version 2"), (None, "nothing")])
def test_a_rollback_says_what_serves_and_what_served(previous, before):
    result = DeployResult(release=4, version="1", previous=previous)
    assert text(words.rollback(result)) == (
        f"ROLLED BACK: version 1 serves as release 4 (before: {before})"
    )


def test_the_verdict_for_an_xcom_stands_in_one_line():
    assert words.in_one_line(words.gate(judged())) == (
        "Verdict on linear (version 3): REFUSE | FAIL floor: 0.51 of 0.58 | ok rows: 400 of 100"
    )


def test_a_verdict_without_labels_was_judged_by_its_promise():
    unproven = {"name": UNPROVEN, "passed": True, "detail": "needs no label"}
    assert words.opponent(judged(champion=None, checks=[unproven])).startswith("by its promise")
    assert words.opponent(judged(checks=[unproven])) == "against the champion, version 2"


def test_a_page_says_of_an_anomaly_model_that_it_learns_from_rows_without_a_label():
    trained = TrainResult.model_construct(
        candidate="forest", metrics={}, cv_score=0.7, rows_without_label=7
    )
    flagging = {"value": 0.6, "rate": 0.05}

    def shown(**more: object) -> str:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        found = judged(metrics={"f1": 0.5}, **more)
        return page.render("m", "r", found, [trained], metric="f1", as_of=moment, because="hand")

    assert "7 rows have no label though it is due" in shown(threshold=flagging)
    assert "flags a row whose score is above 0.6" in shown(threshold=flagging)
    assert "neither learnt from" not in shown(threshold=flagging)
    assert "neither learnt from nor judged on" in shown()
