"""Incidents: one for what is wrong, however often it shows, until it is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pipelines.errors import RequestError
from pipelines.incidents import (
    EXPIRES,
    acknowledge,
    all_incidents,
    close,
    find_incident,
    forgiven_at,
    note_check,
    note_missing_check,
    note_quarantine,
    open_incidents,
    snooze,
)
from pipelines.ledger import DriftCheck, Quarantine
from pipelines.ledger.sql import SqlLedger
from tests.unit.incidents.happenings import MODEL, check, ended
from tests.unit.steps.verdicts import NOTHING, drifted, window


def opened(ledger, clock):
    return [(i.what, i.state, i.seen) for i in open_incidents(ledger, MODEL, clock())]


def events(ledger):
    return [(e.key, e.body["event"]) for e in ledger.entries(MODEL, "incident")]


def test_an_alarm_opens_one_and_says_what_was_found(ledger, clock):
    assert check(ledger, 1, reasons=["the column pages is gone"]) == 1
    [incident] = open_incidents(ledger, MODEL, clock())
    assert (incident.what, incident.cause) == ("alarm", "the data are broken")
    assert incident.words == "the column pages is gone"
    assert (incident.state, incident.opened, incident.first) == ("open", clock(), 1)


def test_a_thousand_alarms_are_one_incident_seen_a_thousand_times(tmp_path, clock):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db", clock)
    checks = [DriftCheck(**drifted(day, verdict="alarm").model_dump()) for day in range(1000)]
    entries = ledger.append_many(MODEL, [(f"run-{n}", found) for n, found in enumerate(checks)])
    assert {note_check(ledger, MODEL, entry) for entry in entries} == {1}
    assert events(ledger) == [("000001", "opened")]
    assert opened(ledger, clock) == [("alarm", "open", 1000)]
    ledger.verify()


def test_noting_the_same_check_again_changes_nothing(ledger, clock):
    check(ledger, 1)
    check(ledger, 1)
    assert opened(ledger, clock) == [("alarm", "open", 1)]
    close(ledger, MODEL, 1, by="ann", reason="mended", now=clock())
    assert check(ledger, 1) is None
    assert opened(ledger, clock) == []


def test_other_causes_are_other_incidents(ledger, clock):
    check(ledger, 1)
    entry = ledger.append(
        MODEL, "x", DriftCheck(**drifted(2, verdict="alarm").model_dump(), run="x", failed=True)
    )
    assert note_check(ledger, MODEL, entry) == 2
    note_missing_check(ledger, MODEL, "nothing was heard since Monday", clock())
    assert [i.what for i in open_incidents(ledger, MODEL, clock())] == [
        "alarm",
        "alarm",
        "no_check",
    ]


@pytest.mark.parametrize(
    ("day", "verdict", "open_"),
    [
        (6, "no_drift", 0),
        (5, "no_drift", 0),
        (6, "drift", 0),
        (4, "no_drift", 1),
        (6, "not_enough_data", 1),
        (6, "alarm", 1),
    ],
)
def test_a_window_that_is_sound_and_no_earlier_closes_an_alarm(ledger, clock, day, verdict, open_):
    check(ledger, 3)
    check(ledger, 5)
    check(ledger, day, verdict, run="later")
    assert len(open_incidents(ledger, MODEL, clock())) == open_
    if not open_:
        closed = find_incident(ledger, MODEL, 1, clock())
        assert (closed.state, closed.by) == ("closed", "")
        assert "is sound" in closed.reason


def test_a_check_that_did_not_run_is_over_when_one_has(ledger, clock):
    assert note_missing_check(ledger, MODEL, "none since Monday", clock()) == 1
    assert note_missing_check(ledger, MODEL, "none since Monday", clock()) == 1
    check(ledger, 1, "not_enough_data")
    assert opened(ledger, clock) == []


@pytest.mark.parametrize(("day", "over"), [(4, False), (5, True), (6, True)])
def test_batches_in_quarantine_are_one_incident_until_a_window_is_sound(ledger, clock, day, over):
    for bad in (3, 5, 4):
        found = Quarantine(
            interval=window(bad),
            version=1,
            batch=NOTHING,
            reasons=["pages is null"],
            bad_rows={},
            page=NOTHING,
        )
        entry = ledger.append(MODEL, f"batch-{bad}", found)
        assert note_quarantine(ledger, MODEL, entry) == 1
    assert opened(ledger, clock) == [("quarantine", "open", 3)]
    check(ledger, day, "no_drift")
    assert opened(ledger, clock) == ([] if over else [("quarantine", "open", 3)])


def test_failures_and_refusals_are_over_when_a_version_is_deployed(ledger, clock):
    ended(ledger, "a", "failed")
    ended(ledger, "b", "failed", version="7")
    ended(ledger, "c", "refused")
    ended(ledger, "d", "refused", stopped=True)
    assert opened(ledger, clock) == [("failed_deployment", "open", 1), ("refused", "open", 1)]
    ended(ledger, "e", "deployed", version="8")
    assert opened(ledger, clock) == []


def test_a_run_that_is_mended_closes_what_it_opened(ledger, clock):
    ended(ledger, "a", "failed", version="7")
    ended(ledger, "a", "deployed", version="7")
    assert opened(ledger, clock) == []


def test_an_answer_has_a_person_and_a_reason(ledger, clock):
    check(ledger, 1)
    taken = acknowledge(ledger, MODEL, 1, by="ann", reason="looking at it", now=clock())
    assert (taken.state, taken.by, taken.reason) == ("acknowledged", "ann", "looking at it")
    acknowledge(ledger, MODEL, 1, by="ann", reason="looking at it", now=clock())
    assert len(events(ledger)) == 2
    check(ledger, 2)
    assert opened(ledger, clock) == [("alarm", "acknowledged", 2)]
    with pytest.raises(RequestError, match="needs a reason"):
        acknowledge(ledger, MODEL, 1, by="ann", reason=" ", now=clock())


def test_what_is_snoozed_is_open_again_later(ledger, clock):
    check(ledger, 1)
    until = clock() + timedelta(days=2)
    resting = snooze(ledger, MODEL, 1, until=until, by="ann", reason="known", now=clock())
    assert (resting.state, resting.until) == ("snoozed", until)
    clock.pass_(days=2)
    assert opened(ledger, clock) == [("alarm", "open", 1)]


@pytest.mark.parametrize("days", [-1, 0, 91])
def test_nothing_rests_in_the_past_or_for_ever(ledger, clock, days):
    check(ledger, 1)
    until = clock() + timedelta(days=days)
    with pytest.raises(RequestError, match="cannot be snoozed"):
        snooze(ledger, MODEL, 1, until=until, by="ann", reason="known", now=clock())


def test_what_is_over_takes_no_answer(ledger, clock):
    check(ledger, 1)
    close(ledger, MODEL, 1, by="ann", reason="mended", now=clock())
    with pytest.raises(RequestError, match="closed already"):
        close(ledger, MODEL, 1, by="ann", reason="mended", now=clock())
    with pytest.raises(RequestError, match="has no incident 2"):
        close(ledger, MODEL, 2, by="ann", reason="mended", now=clock())


def test_what_was_not_seen_for_long_is_over_and_comes_as_a_new_one(ledger, clock):
    check(ledger, 1)
    clock.pass_(days=EXPIRES.days)
    assert open_incidents(ledger, MODEL, clock()) == []
    assert check(ledger, 2) == 2
    assert [(i.state, i.seen) for i in all_incidents(ledger, MODEL, clock())] == [
        ("expired", 1),
        ("open", 1),
    ]


def test_what_goes_on_being_seen_does_not_expire(ledger, clock):
    for day in range(1, 8):
        assert check(ledger, day) == 1
        clock.pass_(days=EXPIRES.days - 1)
    assert opened(ledger, clock) == [("alarm", "open", 7)]


def test_who_closes_refusals_forgives_them(ledger, clock):
    ended(ledger, "a", "refused", stopped=True)
    assert forgiven_at(ledger, MODEL) is None
    clock.pass_(days=1)
    close(ledger, MODEL, 1, by="ann", reason="the labels were late", now=clock())
    assert forgiven_at(ledger, MODEL) == clock()


def test_alarms_at_once_open_one(tmp_path, clock):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db", clock)
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda day: check(ledger, day), range(24)))
    assert set(numbers) == {1}
    assert [i.what for i in open_incidents(ledger, MODEL, clock())] == ["alarm"]
    ledger.verify()
