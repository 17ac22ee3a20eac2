"""The page of what is wrong with a model, and a person's answer to it."""

from __future__ import annotations

import pytest

from pipelines.incidents import note_check, open_incidents
from pipelines.ledger import DriftCheck
from tests.dags.pages.visits import NOW
from tests.unit.steps.verdicts import drifted

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def alarmed(known):
    """A world of which two windows were alarms."""
    for day in (1, 2):
        found = drifted(day, verdict="alarm", reasons=[HOSTILE])
        entry = known.ledger.append("sales", f"run-{day}", DriftCheck(**found.model_dump()))
        note_check(known.ledger, "sales", entry)
    return known


def state(world):
    return [(i.state, i.by, i.reason) for i in open_incidents(world.ledger, "sales", NOW)]


def test_the_page_shows_each_thing_once(alarmed):
    page = alarmed.get("/incidents/sales", accept="text/html")
    assert page.status_code == 200
    assert page.text.count("the data are broken") == 1
    assert "seen 2 times" in page.text
    assert HOSTILE not in page.text
    assert 'value="close"' in page.text
    assert "Nothing is wrong" in alarmed.get("/incidents/cabs").text
    assert "the data are broken" in alarmed.get("/").text
    assert "incident 1, alarm" in alarmed.get("/models/sales").text


def test_a_person_answers_by_the_page_in_their_own_name(alarmed):
    sent = {"answer": "snooze", "reason": "upstream knows", "for": "8h", "by": "mallory"}
    answer = alarmed.post("/incidents/sales/1", data=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/perennial/incidents/sales")
    assert state(alarmed) == [("snoozed", "ann", "upstream knows")]
    assert "snoozed until" in alarmed.get("/incidents/sales").text


def test_programs_list_and_answer(alarmed):
    [incident] = alarmed.get("/api/sales/incidents").json()
    assert (incident["number"], incident["seen"], incident["state"]) == (1, 2, "open")
    sent = {"answer": "close", "reason": "mended"}
    closed = alarmed.post("/api/sales/incidents/1", json=sent)
    assert (closed.status_code, closed.json()["state"], closed.json()["by"]) == (
        200,
        "closed",
        "ann",
    )
    assert alarmed.get("/api/sales/incidents").json() == []
    assert len(alarmed.get("/api/sales/incidents?everything=true").json()) == 1
    again = alarmed.post("/api/sales/incidents/1", json=sent)
    assert (again.status_code, "closed already" in again.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"answer": "ack"}, 422),
        ({"answer": "burn", "reason": "so"}, 422),
        ({"answer": "ack", "reason": "so", "by": "mallory"}, 422),
        ({"answer": "ack", "reason": "a\x00b"}, 409),
        ({"answer": "snooze", "reason": "so", "for": "long"}, 409),
        ({"answer": "snooze", "reason": "so", "for": "999d"}, 409),
    ],
)
def test_what_makes_no_sense_changes_nothing(alarmed, sent, status):
    assert alarmed.post("/api/sales/incidents/1", json=sent).status_code == status
    assert alarmed.post("/api/sales/incidents/9", json=sent).status_code == status
    assert state(alarmed) == [("open", "", "")]


def test_who_may_only_read_sees_and_answers_nothing(alarmed):
    alarmed.log_in("sales", edits=False)
    assert "<form" not in alarmed.get("/incidents/sales").text
    for path, sent in (
        ("/api/sales/incidents/1", {"json": {"answer": "ack", "reason": "so"}}),
        ("/incidents/sales/1", {"data": {"answer": "ack", "reason": "so"}}),
    ):
        assert alarmed.post(path, **sent).status_code == 403
    alarmed.log_in("cabs")
    assert alarmed.get("/incidents/sales").status_code == 403
    assert alarmed.get("/api/sales/incidents").status_code == 403
    assert state(alarmed) == [("open", "", "")]


def test_the_page_of_another_site_answers_nothing(alarmed):
    sent = {"answer": "ack", "reason": "so"}
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert alarmed.post("/incidents/sales/1", foreign, data=sent).status_code == 403
    assert alarmed.post("/api/sales/incidents/1", foreign, json=sent).status_code == 403
    assert state(alarmed) == [("open", "", "")]
