"""What comes and goes is one incident, until it has stayed away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pipelines.incidents import (
    SETTLES,
    acknowledge,
    all_incidents,
    close,
    find_incident,
    note_check,
    open_incidents,
)
from pipelines.ledger import DriftCheck
from pipelines.ledger.sql import SqlLedger
from tests.unit.incidents.happenings import MODEL, check, ended
from tests.unit.steps.verdicts import drifted


def opened(ledger, clock):
    return [(i.what, i.state, i.seen) for i in open_incidents(ledger, MODEL, clock())]


def events(ledger):
    return [(e.key, e.body["event"]) for e in ledger.entries(MODEL, "incident")]


def test_an_alarm_soon_after_a_sound_window_is_the_same_incident(ledger, clock):
    check(ledger, 1)
    for day in range(2, 20, 2):
        clock.pass_(hours=SETTLES.total_seconds() / 3600 - 1)
        check(ledger, day, "no_drift")
        assert opened(ledger, clock) == []
        clock.pass_(hours=1)
        assert check(ledger, day + 1) == 1
        assert check(ledger, day + 1) == 1  # noted again, it changes nothing
        assert opened(ledger, clock) == [("alarm", "open", day // 2 + 1)]
    [incident] = all_incidents(ledger, MODEL, clock())
    assert (incident.first, incident.closed, incident.settles) == (1, None, None)
    assert [event for _, event in events(ledger)] == ["opened", *["closed", "reopened"] * 9]


def test_a_new_alarm_long_after_a_sound_window_is_a_new_incident(ledger, clock):
    check(ledger, 1)
    check(ledger, 2, "no_drift")
    clock.pass_(hours=SETTLES.total_seconds() / 3600)
    assert check(ledger, 3) == 2
    first, second = all_incidents(ledger, MODEL, clock())
    assert (first.state, first.seen, second.state, second.seen) == ("closed", 1, "open", 1)


def test_what_a_person_closed_does_not_come_back_but_as_a_new_incident(ledger, clock):
    check(ledger, 1)
    close(ledger, MODEL, 1, by="ann", reason="mended", now=clock())
    assert check(ledger, 2) == 2


def test_what_came_back_is_still_seen_to_by_who_said_so(ledger, clock):
    check(ledger, 1)
    acknowledge(ledger, MODEL, 1, by="ann", reason="looking at it", now=clock())
    check(ledger, 2, "no_drift")
    closed = find_incident(ledger, MODEL, 1, clock())
    assert (closed.state, closed.by, closed.settles) == ("closed", "", clock() + SETTLES)
    check(ledger, 3)
    back = find_incident(ledger, MODEL, 1, clock())
    assert (back.state, back.by, back.reason) == ("acknowledged", "ann", "looking at it")


def test_alarms_of_other_causes_do_not_bring_one_back(ledger, clock):
    check(ledger, 1)
    check(ledger, 2, "no_drift")
    failed = DriftCheck(**drifted(3, verdict="alarm").model_dump(), run="x", failed=True)
    assert note_check(ledger, MODEL, ledger.append(MODEL, "x", failed)) == 2


def test_a_retraining_that_fails_again_is_a_new_incident(ledger, clock):
    ended(ledger, "a", "failed")
    ended(ledger, "b", "refused")
    assert ended(ledger, "c", "failed") == 2


def test_a_feed_that_comes_back_at_once_is_entered_once(tmp_path, clock):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db", clock)
    check(ledger, 0)
    check(ledger, 1, "no_drift")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda day: check(ledger, day), range(2, 18))) == {1}
    assert [event for _, event in events(ledger)] == ["opened", "closed", "reopened"]
    ledger.verify()
