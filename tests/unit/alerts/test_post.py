"""Sending for real: a webhook and a mail server on loopback, taken, away, slow, wrong."""

from __future__ import annotations

import threading

import pytest

from pipelines.alerts.post import ApprisePost
from pipelines.alerts.texts import Message
from pipelines.ledger.sql import SqlLedger
from tests.unit.alerts.receivers import mail_server, webhook
from tests.unit.alerts.worlds import SECRET, World, routes

pytestmark = pytest.mark.slow

FAILED = "[sales] a retraining failed"


def send(address, seconds=20.0, count=1):
    route = routes(ops=address).routes["ops"]
    messages = [Message(f"title {n}", "a < b\n- & \\n *c*", "failure") for n in range(count)]
    return list(ApprisePost(seconds).send(route, messages))


def test_a_webhook_gets_each_message_as_it_is():
    with webhook() as received:
        assert send(f"json://me:{SECRET}@127.0.0.1:{received.port}/hook", count=2) == ["", ""]
    assert received.titles == ["title 0", "title 1"]
    assert received.bodies[0]["message"] == "a < b\n- & \\n *c*"
    assert received.bodies[0]["type"] == "failure"


def test_a_mail_has_its_title_for_its_subject():
    with mail_server() as mails:
        address = f"mailto://127.0.0.1:{mails.port}?from=me@example.org&to=ops@example.org"
        assert send(f"{address}&mode=insecure") == [""]
    assert ["ops@example.org" in to for to in mails.to] == [True]
    assert "Subject: title 0" in mails.texts[0]


def test_a_service_that_refuses_says_with_which_status_and_follows_no_other_address():
    with webhook() as received:
        received.status = 500
        address = f"json://127.0.0.1:{received.port}/{SECRET}"
        assert send(address, count=3) == ["the service answered 500"]
        received.status = 302
        assert send(address) == ["the service answered 302"]


def test_a_service_that_is_away_says_so():
    with webhook() as received:
        port = received.port
    assert send(f"json://127.0.0.1:{port}/{SECRET}") == ["the service could not be reached"]


def test_a_service_that_hangs_is_left_in_time():
    with webhook() as received:
        received.gate.clear()
        assert send(f"json://127.0.0.1:{received.port}/?rto=300", 0.5) == ["no answer within 0.5 s"]
        assert received.arrived.is_set()


def test_an_address_that_apprise_does_not_know_is_told_from_a_service_that_is_away():
    (why,) = send(f"gossip://{SECRET}/")
    assert "Apprise knows no such address" in why


class TestTheWholeWay:
    """From a ledger in a file, by real processes, to a real server and back."""

    @pytest.fixture
    def world(self, tmp_path):
        world = World()
        world.ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger/ledger.db", now=world.clock)
        return world

    def deliver(self, world, given):
        return world.outbox(given).empty(ApprisePost(20), world.clock())

    def test_away_then_back_is_told_once(self, world):
        with webhook() as received:
            port = received.port
        given = routes(ops=f"json://127.0.0.1:{port}/{SECRET}")
        self.deliver(world, given)
        world.end("r1", "failed", "the disk was full")
        delivery = self.deliver(world, given)
        assert delivery.why == {"ops": "the service could not be reached"}
        with webhook(port) as received:
            self.deliver(world, given)
            self.deliver(world, given)
        assert received.titles == [FAILED]

    def test_two_senders_at_once_are_one_message(self, world):
        with webhook() as received:
            given = routes(ops=f"json://127.0.0.1:{received.port}/{SECRET}")
            self.deliver(world, given)
            world.end("r1", "failed")
            received.gate.clear()
            first = threading.Thread(target=self.deliver, args=(world, given))
            first.start()
            assert received.arrived.wait(30)
            assert self.deliver(world, given).is_busy
            received.gate.set()
            first.join()
            assert self.deliver(world, given).told == []
        assert received.titles == [FAILED]
