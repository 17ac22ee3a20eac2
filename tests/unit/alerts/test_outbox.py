"""What is owed to whom: once for an incident, once when it is over, later where one is away."""

from __future__ import annotations

from typing import get_args

import pytest

from pipelines.alerts.incidents import _ABOUT, _MATTERS, Matter
from pipelines.alerts.outbox import MOST, TURN
from pipelines.incidents import close, note_quarantine
from pipelines.ledger import Alert, Quarantine, ReleaseRefusal, What
from tests.dags.specs import make_spec
from tests.decisions import NOTHING
from tests.unit.alerts.worlds import SECRET, MemoryPost, World, routes

ONE = routes(ops=f"json://{SECRET}/")
FAILED = "[sales] a retraining failed"
WORKS = "[sales] retraining works again"
REFUSAL = ReleaseRefusal(number=2, version="2", difference="golden request 3 differs by 0.4")
REFUSED = "[sales] a challenger was refused"


@pytest.fixture
def world():
    return World()


@pytest.fixture
def post():
    return MemoryPost()


def deliver(world, post, given=ONE):
    return world.outbox(given).empty(post, world.clock())


def test_a_failure_is_told_once_and_once_more_when_it_is_over(world, post):
    deliver(world, post)
    world.end("r1", "failed", "the disk was full")
    deliver(world, post)
    deliver(world, post)
    assert post.titles == [FAILED]
    world.end("r2", "deployed")
    deliver(world, post)
    deliver(world, post)
    assert post.titles == [FAILED, WORKS]


def test_a_thousand_failures_are_one_incident(world, post):
    deliver(world, post)
    for number in range(1_000):
        world.end(f"r{number}", "failed", "again")
    assert len(deliver(world, post).told) == 1
    world.end("well", "deployed", version="2")
    deliver(world, post)
    world.end("later", "failed")
    deliver(world, post)
    assert post.titles == [FAILED, WORKS, FAILED]


def test_a_release_that_the_server_refused_and_its_run_are_one_incident(world, post):
    deliver(world, post)
    world.ledger.append("sales", "r1", REFUSAL)
    world.end("r1", "failed", "it ended in deploy", version="2")
    deliver(world, post)
    assert post.titles == ["[sales] a promoted version does not serve"]
    assert "golden request 3 differs" in post.taken[0][1].body


def test_a_rollback_that_the_server_refused_is_over_with_the_next_champion(world, post):
    deliver(world, post)
    world.ledger.append("sales", "rollback:r1", REFUSAL)
    deliver(world, post)
    world.crown("1")
    deliver(world, post)
    assert post.titles == [
        "[sales] a rollback failed",
        "[sales] a version became champion again",
    ]


def test_a_person_who_closes_an_incident_is_named(world, post):
    deliver(world, post)
    world.end("r1", "failed")
    deliver(world, post)
    close(world.ledger, "sales", 1, by="ann", reason="it was a test", now=world.clock())
    deliver(world, post)
    assert "closed by ann: it was a test" in post.taken[1][1].body


def test_what_nobody_saw_for_a_month_is_over(world, post):
    deliver(world, post)
    world.end("r1", "failed")
    deliver(world, post)
    world.clock.pass_by(days=31)
    deliver(world, post)
    deliver(world, post)
    assert post.titles == [FAILED, WORKS]
    assert "not seen for 30 days" in post.taken[1][1].body


def test_a_run_that_was_mended_is_over(world, post):
    deliver(world, post)
    world.end("r1", "failed")
    world.clock.pass_by(minutes=1)
    world.end("r1~2", "refused", "no better")
    deliver(world, post)
    assert post.titles == [FAILED, WORKS, REFUSED]


def test_each_refusal_is_told_and_none_is_over(world, post):
    deliver(world, post)
    world.end("r1", "refused", "roc_auc 0.5 is below 0.6")
    world.end("r2", "refused", "again")
    deliver(world, post)
    assert post.titles == [REFUSED, REFUSED]
    assert "roc_auc 0.5 is below 0.6" in post.taken[0][1].body
    assert "one more message" not in post.taken[0][1].body


def test_bad_data_and_alarms_are_incidents_too(world, post):
    deliver(world, post)
    interval = {"start": "2024-01-03T00:00:00Z", "end": "2024-01-04T00:00:00Z"}
    bad = {"batch": NOTHING, "reasons": ["pages: 31 values are missing"], "bad_rows": {}}
    entry = Quarantine.model_validate({"interval": interval, "version": 1, "page": NOTHING, **bad})
    note_quarantine(world.ledger, "sales", world.ledger.append("sales", "b1", entry))
    world.clock.pass_by(minutes=1)
    world.check("d1", "alarm", "pages is gone")
    world.check("d2", "not_enough_data")
    deliver(world, post)
    assert post.titles == [
        "[sales] a batch broke its expectations",
        "[sales] a drift check raised an alarm",
    ]
    world.clock.pass_by(minutes=1)
    world.check("d3", "no_drift")
    deliver(world, post)
    assert len(post.titles) == 2, "they may come back"
    world.clock.pass_by(hours=30)
    deliver(world, post)
    assert post.titles[2:] == ["[sales] batches are good again", "[sales] the alarm is over"]
    assert "it has not come back for 30 hours" in post.taken[-1][1].body


def test_a_feed_that_flaps_is_told_once_and_once_more_when_it_is_over_for_good(world, post):
    deliver(world, post)
    for number in range(100):
        world.clock.pass_by(minutes=10)
        world.check(f"d{number}", "no_drift" if number % 2 else "alarm", "pages is gone")
        deliver(world, post)
    assert post.titles == ["[sales] a drift check raised an alarm"]
    world.clock.pass_by(hours=30)
    deliver(world, post)
    deliver(world, post)
    assert post.titles[1:] == ["[sales] the alarm is over"]
    world.check("later", "alarm", "pages is gone again")
    deliver(world, post)
    assert post.titles[2:] == ["[sales] a drift check raised an alarm"]


def test_a_route_that_comes_while_something_may_come_back_is_told_when_it_does(world, post):
    world.check("d1", "alarm", "pages is gone")
    world.clock.pass_by(minutes=1)
    world.check("d2", "no_drift")
    deliver(world, post)
    assert post.titles == []
    world.clock.pass_by(minutes=1)
    world.check("d3", "alarm", "pages is gone")
    deliver(world, post)
    assert post.titles == ["[sales] a drift check raised an alarm"]


def test_whatever_an_incident_is_of_there_is_a_message_for_it():
    assert _MATTERS.keys() == set(get_args(What))
    assert set(_MATTERS.values()) <= _ABOUT.keys() == set(get_args(Matter))


def test_what_was_over_before_a_route_began_is_not_told_and_what_lasts_is(world, post):
    world.end("r0", "failed")
    world.end("r1", "refused")
    deliver(world, post)
    assert post.titles == []
    world.end("r2", "failed", "still so")
    world.check("d1", "alarm", "broken")
    later = routes(ops="json://ops/", boss="json://boss/")
    deliver(world, post, later)
    assert [to for to, _ in post.taken] == ["json://ops/"] * 2 + ["json://boss/"] * 2


def test_a_route_is_told_of_its_models_owners_and_subjects_alone(world, post):
    world.spec = make_spec("sales", drift="daily")
    given = routes(
        model={"to": "json://model/", "models": ["sales"]},
        owner={"to": "json://owner/", "owners": [world.spec.owner]},
        other={"to": "json://other/", "owners": ["nobody"], "models": ["cabs"]},
        deaf={"to": "json://deaf/", "tell": ["late"]},
    )
    deliver(world, post, given)
    world.end("r1", "failed")
    deliver(world, post, given)
    assert sorted(to for to, _ in post.taken) == ["json://model/", "json://owner/"]
    assert f"Owner: {world.spec.owner}" in post.taken[0][1].body


def test_a_broken_spec_silences_no_route_that_told_of_the_model(world, post):
    world.spec = make_spec("sales")
    given = routes(owner={"to": "json://owner/", "owners": [world.spec.owner]})
    deliver(world, post, given)
    world.spec = None
    world.end("r1", "failed")
    deliver(world, post, given)
    assert post.titles == [FAILED]


class TestAServiceThatIsAway:
    def test_is_told_later_once_and_in_order(self, world, post):
        deliver(world, post)
        post.away = {f"json://{SECRET}/"}
        world.end("r1", "failed")
        world.end("r2", "deployed")
        delivery = deliver(world, post)
        assert (delivery.told, len(delivery.left)) == ([], 2)
        assert delivery.why == {"ops": "the service could not be reached"}
        length = world.ledger.verify()
        for _ in range(50):
            deliver(world, post)
        assert world.ledger.verify() == length, "waiting writes nothing"
        post.away = set()
        deliver(world, post)
        deliver(world, post)
        assert post.titles == [FAILED, WORKS]

    def test_holds_up_no_other_route(self, world, post):
        given = routes(a="json://a/", b="json://b/")
        deliver(world, post, given)
        post.away = {"json://a/"}
        world.end("r1", "failed")
        deliver(world, post, given)
        assert [to for to, _ in post.taken] == ["json://b/"]

    def test_gets_a_few_at_a_time_when_it_is_back(self, world, post):
        deliver(world, post)
        for number in range(MOST + 5):
            world.end(f"r{number}", "refused", "no")
        first = deliver(world, post)
        assert (len(first.told), len(first.left)) == (MOST, 5)
        assert len(deliver(world, post).told) == 5


class Dying(MemoryPost):
    """Is killed behind the taking of its first message."""

    def send(self, route, messages):
        next(iter(super().send(route, messages)))
        raise KeyboardInterrupt
        yield ""


def test_a_sender_that_was_killed_loses_nothing(world, post):
    deliver(world, post)
    world.end("r1", "failed")
    dying = Dying()
    with pytest.raises(KeyboardInterrupt):
        deliver(world, dying)
    deliver(world, post)
    assert (dying.titles, post.titles) == ([FAILED], [FAILED])


def test_of_two_senders_one_is_at_work(world, post):
    deliver(world, post)
    world.end("r1", "failed")
    with world.ledger.turn(TURN) as is_ours:
        assert is_ours
        assert deliver(world, post).is_busy
    assert post.titles == []
    assert not deliver(world, post).is_busy


def test_the_ledger_says_what_was_told_and_shows_no_address(world, post):
    deliver(world, post)
    world.end("r1", "failed")
    deliver(world, post)
    (entry,) = [e for e in world.ledger.entries("sales", "alert") if e.body["state"] == "open"]
    assert entry.read(Alert).words == f"told by the route ops: {FAILED}"
    assert entry.key == "ops/incident/1/open"
    assert all(SECRET not in e.model_dump_json() for e in world.ledger.entries())


def test_what_is_owed_is_shown_without_a_word_in_the_ledger(world):
    world.end("r1", "failed")
    outbox, length = world.outbox(ONE), world.ledger.verify()
    assert [owed.state for owed in outbox.owed(world.clock())] == ["open"]
    assert world.ledger.verify() == length
