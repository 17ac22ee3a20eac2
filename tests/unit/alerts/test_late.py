"""A drift check that did not run: told after the grace, over when one has run."""

from __future__ import annotations

import pytest

from tests.dags.specs import make_spec
from tests.unit.alerts.worlds import SECRET, MemoryPost, World, routes

ONE = routes(ops=f"json://{SECRET}/")


@pytest.fixture
def world():
    return World()


@pytest.fixture
def post():
    return MemoryPost()


def deliver(world, post, given=ONE):
    return world.outbox(given).empty(post, world.clock())


class TestADriftCheckThatDidNotRun:
    @pytest.fixture(autouse=True)
    def watched(self, world, post):
        world.spec = make_spec("sales", drift="daily")
        deliver(world, post)

    def test_is_told_after_the_grace_and_once_more_when_one_has_run(self, world, post):
        world.clock.pass_by(days=1, hours=6)
        assert deliver(world, post).told == [], "it may take six hours"
        world.clock.pass_by(minutes=1)
        deliver(world, post)
        world.clock.pass_by(days=3)
        deliver(world, post)
        assert post.titles == ["[sales] a drift check has not run"]
        assert "was due at 2024-01-02T00:00:00Z" in post.taken[0][1].body
        assert "drift_sales" in post.taken[0][1].body
        world.check("d1", "no_drift")
        deliver(world, post)
        assert len(post.titles) == 1, "it may come back"
        world.clock.pass_by(hours=30)
        world.check("d2", "no_drift")
        deliver(world, post)
        assert post.titles[1:] == ["[sales] drift is checked again"]

    def test_is_told_later_where_the_service_was_away_all_the_time(self, world, post):
        post.away = {f"json://{SECRET}/"}
        world.clock.pass_by(days=2)
        deliver(world, post)
        world.check("d1", "no_drift")
        deliver(world, post)
        post.away = set()
        world.clock.pass_by(hours=30)
        world.check("d2", "no_drift")
        deliver(world, post)
        assert post.titles == [
            "[sales] a drift check has not run",
            "[sales] drift is checked again",
        ]

    def test_is_no_incident_while_checks_run(self, world, post):
        for day in range(5):
            world.clock.pass_by(days=1)
            world.check(f"d{day}", "no_drift")
            world.clock.pass_by(minutes=1)
            deliver(world, post)
        assert post.titles == []

    def test_is_over_where_nobody_watches_any_more(self, world, post):
        world.clock.pass_by(days=2)
        deliver(world, post)
        world.spec = make_spec("sales")
        world.clock.pass_by(days=2)
        deliver(world, post)
        world.clock.pass_by(days=2)
        deliver(world, post)
        assert post.titles[1:] == ["[sales] drift is checked again"]

    def test_a_route_that_comes_later_hears_nothing_of_it_when_it_is_over(self, world, post):
        world.clock.pass_by(days=2)
        deliver(world, post)
        world.check("d1", "no_drift")
        deliver(world, post)
        both = routes(ops=f"json://{SECRET}/", late="json://late/")
        deliver(world, post, both)
        world.clock.pass_by(hours=31)
        world.check("d2", "no_drift")
        deliver(world, post, both)
        assert [to for to, _ in post.taken] == [f"json://{SECRET}/"] * 2
