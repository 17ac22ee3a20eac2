"""The messages: what happened, what to do, where to look; nothing in them is a sign."""

from __future__ import annotations

from typing import get_args

import pytest

from pipelines.alerts.incidents import Event, Incident, Matter
from pipelines.alerts.texts import _BEGAN, _ENDED, _TO_DO, message_of, plain
from pipelines.settings import load_settings
from tests.unit.alerts.worlds import START, routes

FAILED = (
    "Open the run, mend the cause that its log names, and clear the failed tasks; do not trigger it"
    " anew."
)


def write(incident, state="open", airflow="https://airflow.example.org/base/"):
    return message_of(
        incident,
        state,
        owner="shop",
        champion="3",
        routes=routes(airflow=airflow, ops="json://h/"),
        settings=load_settings({}),
    )


def incident(matter="retraining", run="drift__sales__2024", reasons=("no disk",), over=None):
    return Incident("sales", matter, "incident/7", Event(START, 7, tuple(reasons), run), over, 7)


def test_a_message_says_what_why_what_to_do_and_where():
    message = write(incident())
    assert message.tone == "failure"
    assert message.body.splitlines() == [
        "sales: a retraining failed (2024-01-01T00:00:00Z).",
        "- no disk",
        "What serves: version 3 serves on.",
        f"What to do: {FAILED}",
        "There will be one more message, when it is over for good.",
        "To answer: perennial incident sales 7 ack (or snooze, close)",
        "Run: https://airflow.example.org/base/dags/retrain_sales/runs/drift__sales__2024",
        "Incidents: https://airflow.example.org/base/perennial/incidents/sales",
        "Model: https://airflow.example.org/base/perennial/models/sales",
        "Owner: shop",
    ]


def test_the_end_of_an_incident_says_since_when_it_lasted():
    over = write(incident(over=Event(START.replace(day=3), 9, ("version 4 serves",), "r9")), "over")
    assert over.tone == "success"
    assert "retraining works again (2024-01-03T00:00:00Z)" in over.body
    assert "It began at 2024-01-01T00:00:00Z." in over.body
    assert "/dags/retrain_sales/runs/r9" in over.body


@pytest.mark.parametrize(
    ("matter", "run", "link"),
    [
        ("alarm", "scheduled__1", "/perennial/pages/sales/drift/scheduled__1"),
        ("alarm", "scheduled__1", "/dags/drift_sales/runs/scheduled__1"),
        ("refusal", "r/1", "/perennial/pages/sales/verdict/r%2F1"),
        ("rollback", "rollback:manual__1", "/dags/rollback_sales/runs/manual__1"),
        ("check", "", "/dags/drift_sales"),
    ],
)
def test_links_lead_to_the_page_and_to_the_run(matter, run, link):
    body = write(incident(matter, run), airflow=None).body
    assert f"http://127.0.0.1:8080{link}\n" in body


def test_a_run_by_hand_has_no_page_in_airflow():
    assert "/dags/" not in write(incident(run="hand__retrain")).body


def test_reasons_stay_in_their_line_and_call_nobody():
    message = write(incident(reasons=["a\r\nBcc: x@evil", "<!channel> @everyone \x00", "x" * 900]))
    lines = message.body.splitlines()
    assert lines[1] == "- a Bcc: x(at)evil"
    assert lines[2] == "- < !channel> (at)everyone ?"
    assert len(lines[3]) == 302
    assert "\n" not in message.title


def test_many_reasons_are_counted():
    assert "- and 15 more" in write(incident(reasons=["r"] * 20)).body


def test_a_comparison_stays_one():
    assert plain("0.5 < 0.6", 100) == "0.5 < 0.6"


def test_each_matter_has_words_for_its_beginning_and_for_what_to_do():
    assert _BEGAN.keys() == _ENDED.keys() == _TO_DO.keys() == set(get_args(Matter))
