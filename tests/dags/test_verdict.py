"""The verdict as people read it."""

from __future__ import annotations

import logging

from perennial_airflow.verdict import log_verdict

JUDGED = {
    "verdict": "refuse",
    "candidate": "linear",
    "version": "3",
    "reasons": ["roc_auc 0.51 is below 0.58"],
    "checks": [{"name": "floor", "passed": False, "detail": "0.51 of 0.58"}, {"name": "rows", "passed": True, "detail": "400 of 100"}],
}


def test_a_refusal_names_each_check_and_each_reason(lines):
    log_verdict(JUDGED, lines)
    assert lines.text.splitlines() == [
        "Verdict on linear (version 3): REFUSE",
        "  FAIL floor: 0.51 of 0.58",
        "  ok   rows: 400 of 100",
        "  because roc_auc 0.51 is below 0.58",
    ]
    assert lines.lines[-1][0] == logging.WARNING


def test_a_promotion_has_no_because(lines):
    log_verdict({**JUDGED, "verdict": "promote", "reasons": []}, lines)
    assert "because" not in lines.text
