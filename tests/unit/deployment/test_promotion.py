"""Promotions at once, cut off anywhere: at most one wins, and in the end all agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from pipelines.deployment.promotion import STEPS, State
from pipelines.deployment.targets import target_for
from pipelines.errors import Busy, Unreachable
from pipelines.ledger import MemoryLedger
from pipelines.settings import Settings
from tests.unit.deployment.interleavings import Explorer
from tests.unit.steps.deployments import (
    MODEL,
    assert_all_agree,
    deploy_request,
    deploy_version,
    world_to_deploy,
)

EXPLORATIONS = {
    "over a champion": lambda: Explorer(2, locked=True),
    "the first": lambda: Explorer(2, champion=False, locked=True),
    "one is refused": lambda: Explorer(2, locked=True, refused="3"),
    "who dies stays dead": lambda: Explorer(2, locked=True, abandoned=True),
    "without the lock": lambda: Explorer(2, crashes=0, turns=1),
}


@cache
def explored(name):
    return EXPLORATIONS[name]().explore()


@pytest.mark.parametrize("name", ["over a champion", "the first"])
def test_of_two_that_may_each_die_behind_any_effect_one_wins_and_all_agree(name):
    found = explored(name)
    assert found.orders > 80
    assert found.crashes > 40
    assert set(found.ends) == {("Conflict", "won")}


def test_who_is_refused_stands_in_nobodys_way():
    assert set(explored("one is refused").ends) == {("Refused", "won"), ("Conflict", "won")}


def test_who_dies_for_good_holds_nobody_off():
    assert {("died", "won"), ("Conflict", "won")} <= set(explored("who dies stays dead").ends)


def test_without_the_lock_at_most_one_wins_whoever_is_held_up_where():
    found = explored("without the lock")
    assert found.orders > 50
    assert {end.count("won") for end in found.ends} <= {0, 1}


def test_every_step_that_the_table_names_happens():
    named = {(state, after) for state, step in STEPS.items() for after in step.leads_to}
    assert named == {one for name in EXPLORATIONS for one in explored(name).transitions}
    assert {*STEPS, State.SETTLED} == set(State)


def test_another_deployment_of_the_model_is_waited_for_and_named(tmp_path):
    settings = Settings(state=tmp_path, lock_timeout_seconds=0.05)
    context = replace(world_to_deploy().context, settings=settings)
    with (
        target_for(context).alone(context),
        pytest.raises(Busy, match="Another deployment of visits"),
    ):
        target_for(context).alone(context).__enter__()


class _Away:
    """A ledger that is away at its call number `at`, before or behind its work."""

    def __init__(self, ledger, at, *, after):
        self._ledger, self._at, self._after, self.calls = ledger, at, after, 0

    def __getattr__(self, name):
        method = getattr(self._ledger, name)

        def call(*args, **kwargs):
            self.calls += 1
            if self.calls == self._at and not self._after:
                raise Unreachable("The ledger is away.")
            found = method(*args, **kwargs)
            if self.calls == self._at:
                raise Unreachable("The ledger went away.")
            return found

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
def test_a_ledger_that_is_away_at_any_call_can_be_tried_again(after):
    at = 0
    while True:
        at += 1
        world = world_to_deploy()
        deploy_version(world, deploy_request(world, "1", None))
        request = deploy_request(world, "2", "1")
        away = world.with_ports(ledger=_Away(world.context.ports.ledger, at, after=after))
        try:
            deploy_version(away, request)
            break
        except Unreachable:
            assert world.context.ports.ledger.verify() > 0
        assert deploy_version(world, request).version == "2"
        assert_all_agree(world, "2")
    assert at > 10


def test_a_clock_that_goes_backwards_crowns_whoever_came_last():
    moments = (datetime(2026, 1, 1, tzinfo=UTC) - timedelta(hours=n) for n in range(10_000))
    world = world_to_deploy()
    ports = replace(world.context.ports, ledger=MemoryLedger(lambda: next(moments)))
    world = replace(world, context=replace(world.context, ports=ports))
    for before, version in ((None, "1"), ("1", "2"), ("2", "3")):
        assert deploy_version(world, deploy_request(world, version, before)).version == version
        assert_all_agree(world, version)
    times = [entry.at for entry in ports.ledger.entries(MODEL, "champion")]
    assert times == sorted(times, reverse=True)
