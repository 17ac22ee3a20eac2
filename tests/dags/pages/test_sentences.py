"""The ledger's entries in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from perennial_airflow.pages.sentences import in_words, span

from pipelines.ledger import MemoryLedger
from pipelines.ledger.port import Kind

WINDOW = {"start": "2024-01-03T00:00:00Z", "end": "2024-01-04T00:00:00Z"}
RUN = "drift__sales__2024-01-04T00:00:00Z"


def words(kind: str, key: str, body: dict):
    return in_words(
        MemoryLedger(now=lambda: datetime(2024, 1, 5, tzinfo=UTC)).append("sales", kind, key, body)
    )


@pytest.mark.parametrize(
    ("kind", "key", "body", "badge", "tone", "text"),
    [
        (
            "champion",
            "r",
            {"version": "2", "release": 3},
            "champion",
            "good",
            "version 2 became champion with release 3",
        ),
        (
            "release",
            "r~2",
            {"number": 3, "version": "2", "reason": "run r"},
            "release",
            "plain",
            "release 3 with version 2: run r",
        ),
        (
            "release_refused",
            "r",
            {"difference": "row 3 differs"},
            "refused",
            "bad",
            "row 3 differs",
        ),
        (
            "quarantine",
            "k",
            {"interval": WINDOW, "reasons": ["a", "b"]},
            "quarantine",
            "bad",
            "the batch 2024-01-03 to 2024-01-04: a; b",
        ),
        (
            "retrain_held",
            "w",
            {"run": "w", "why": "cooldown", "reasons": ["drifted"]},
            "held back",
            "plain",
            "no retraining: cooldown",
        ),
        (
            "outcome",
            f"{RUN}~2",
            {"run": RUN, "outcome": "refused", "version": "4", "reasons": ["too weak"]},
            "refused",
            "warn",
            "the retraining ended, version 4: too weak",
        ),
        (
            "outcome",
            RUN,
            {"run": RUN, "outcome": "failed", "version": "", "reasons": []},
            "failed",
            "bad",
            "the retraining ended",
        ),
    ],
)
def test_a_decision_reads_as_one_would_say_it(kind, key, body, badge, tone, text):
    found = words(kind, key, body)
    assert (found.badge, found.tone, found.text) == (badge, tone, text)


def test_every_kind_of_entry_can_be_shown_whatever_is_missing_from_it():
    for kind in get_args(Kind):
        assert words(kind, "some run", {}).badge, kind


def test_a_run_that_decided_again_is_linked_by_its_own_name():
    assert words("release", "first~2", {}).links == [("run", "/dags/retrain_sales/runs/first")]
    assert words("outcome", "a~2", {"run": "a~2"}).links == [
        ("run", "/dags/retrain_sales/runs/a~2")
    ]


@pytest.mark.parametrize(
    ("kind", "key", "body"),
    [
        ("champion", "rollback:hand__2024-01-05T00:00:00Z", {"version": "1", "release": 3}),
        ("release", "rollback:hand__2024-01-05T00:00:00Z~2", {"number": 3, "version": "1"}),
        ("release", "promote:hand__2024-01-05T00:00:00Z", {"number": 3, "version": "1"}),
        ("champion", "hand__newest__2024-01-05T00:00:00Z", {"version": "1", "release": 1}),
        ("outcome", "hand__newest__x", {"run": "hand__newest__x", "outcome": "deployed"}),
    ],
)
def test_what_a_command_has_done_links_to_no_run_of_airflow(kind, key, body):
    assert words(kind, key, body).links == []


def test_a_check_by_command_links_to_its_pages_alone():
    links = words("drift", "hand__drift__newest__x", {"verdict": "drift"}).links
    assert [name for name, _ in links] == ["drift", "validation"]


def test_a_rollback_by_dag_links_to_its_run():
    assert words("champion", "rollback:manual__x", {"version": "1"}).links == [
        ("run", "/dags/rollback_sales/runs/manual__x")
    ]


def test_a_request_links_to_the_retraining_and_to_who_asked_for_it():
    found = words(
        "retrain_request",
        "000001",
        {"run_id": "x", "asked_by": "w", "window": WINDOW, "reasons": ["2 inputs"]},
    )
    assert found.text == "a retraining was asked for, window 2024-01-03 to 2024-01-04: 2 inputs"
    assert found.links == [
        ("run", "/dags/retrain_sales/runs/x"),
        ("asked by", "/dags/drift_sales/runs/w"),
    ]


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (WINDOW, "2024-01-03 to 2024-01-04"),
        (
            {"start": "2024-01-03T05:00:00Z", "end": "2024-01-03T06:00:00Z"},
            "2024-01-03 05:00 to 2024-01-03 06:00",
        ),
        (None, ""),
    ],
)
def test_a_span_is_as_short_as_it_can_be(window, said):
    assert span(window) == said
