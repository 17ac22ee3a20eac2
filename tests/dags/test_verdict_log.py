"""The verdict as people read it."""

from __future__ import annotations

import logging

import pytest
from perennial_airflow.verdict_log import log_verdict, said

JUDGED = {
    "verdict": "refuse",
    "candidate": "linear",
    "version": "3",
    "reasons": ["roc_auc 0.51 is below 0.58"],
    "checks": [
        {"name": "floor", "passed": False, "detail": "0.51 of 0.58"},
        {"name": "rows", "passed": True, "detail": "400 of 100"},
    ],
}


def test_a_refusal_names_each_check_and_each_reason(lines):
    log_verdict(said("gate", JUDGED), lines)
    assert lines.text.splitlines() == [
        "Verdict on linear (version 3): REFUSE",
        "  FAIL floor: 0.51 of 0.58",
        "  ok   rows: 400 of 100",
        "  because roc_auc 0.51 is below 0.58",
    ]
    assert lines.lines[-1][0] == logging.WARNING


def test_a_promotion_has_no_because(lines):
    log_verdict(said("gate", {**JUDGED, "verdict": "promote", "reasons": []}), lines)
    assert "because" not in lines.text


DRIFTED = {
    "verdict": "drift",
    "reasons": ["2 of 4 inputs have drifted", "roc_auc 0.71 is worse than 0.83"],
    "window": {"start": "2024-01-03T00:00:00Z", "end": "2024-01-04T00:00:00Z"},
    "source": "traffic",
    "rows": 240,
    "labelled": 200,
    "champion": "3",
    "metric": "roc_auc",
    "live": 0.71234,
    "expected": 0.8311,
    "columns": 4,
    "drifted": ["pages", "minutes"],
}


def test_a_drift_says_which_window_what_was_found_and_why(lines):
    log_verdict(said("drift", DRIFTED), lines)
    assert lines.text.splitlines() == [
        "Verdict on the window from 2024-01-03T00:00:00Z to 2024-01-04T00:00:00Z: DRIFT",
        "  240 rows of traffic, 200 labelled; champion version 3",
        "  roc_auc 0.7123 live, 0.8311 expected",
        "  2 of 4 inputs drifted: pages, minutes",
        "  because 2 of 4 inputs have drifted",
        "  because roc_auc 0.71 is worse than 0.83",
    ]
    assert {lines.lines[0][0], lines.lines[-1][0]} == {logging.WARNING}


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
    assert said("drift", {**DRIFTED, "verdict": verdict})[0][0] == level


def test_a_window_without_champion_labels_or_columns_is_told_without_them():
    found = {
        **DRIFTED,
        "verdict": "not_enough_data",
        "champion": None,
        "live": None,
        "expected": None,
        "columns": 0,
        "drifted": [],
    }
    text = "\n".join(line for _, line in said("drift", found))
    assert "NOT ENOUGH DATA" in text
    assert "no champion yet" in text
    assert "live" not in text
    assert "inputs drifted" not in text


def test_a_report_is_one_sentence():
    assert said("report", {"outcome": "held_back", "said": "the cooldown is not over."}) == [
        (logging.INFO, "HELD BACK: the cooldown is not over.")
    ]


def test_a_step_that_judges_nothing_says_nothing():
    assert said("features", {"verdict": "x"}) == []


def test_the_verdict_for_the_xcom_stands_in_one_line(lines):
    assert (
        log_verdict(said("gate", JUDGED), lines)
        == "Verdict on linear (version 3): REFUSE | FAIL floor: 0.51 of 0.58 | ok rows: 400 of 100"
        " | because roc_auc 0.51 is below 0.58"
    )
