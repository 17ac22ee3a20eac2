"""A whole fleet retrained at once: all begin, none starves, never more than are allowed."""

from __future__ import annotations

import pytest

from pipelines.turns.fairness import fair_wait, longest_against_fair
from pipelines.turns.limits import Limits
from pipelines.turns.rules import UnderWay
from tests.unit.turns.fleets import Fleet, owners_of

SECONDS = 60.0
UNEQUAL = {"large": 70, "middle": 20, "small": 7, "tiny": 2, "single": 1}


@pytest.mark.parametrize(("at_once", "seed"), [(1, 3), (2, 4), (4, 5), (8, 6)])
def test_unequal_owners_wait_no_longer_than_is_fair(at_once, seed):
    fleet = Fleet(owners_of(**UNEQUAL), Limits(at_once=at_once))
    fleet.live(SECONDS, seed)
    assert sorted(m for m, _, _ in fleet.begun) == sorted(fleet.owners)
    assert fleet.most == at_once
    waits = [(owner, waited) for _, owner, waited in fleet.begun]
    longest, part = longest_against_fair(waits, at_once, SECONDS)
    assert part <= 1.5
    assert longest <= 1.1 * fair_wait(UNEQUAL, 70, at_once, SECONDS)
    # Whoever has one model has it within the first round, however many the others have
    assert max(w for owner, w in waits if owner == "single") <= 1.2 * len(UNEQUAL) * SECONDS


def test_twenty_owners_take_turns():
    loads = {f"o{n}": 1 + n % 4 for n in range(20)}
    fleet = Fleet(owners_of(**loads), Limits(at_once=3))
    fleet.live(SECONDS, seed=5)
    waits = [(owner, waited) for _, owner, waited in fleet.begun]
    assert len(waits) == sum(loads.values())
    assert longest_against_fair(waits, 3, SECONDS)[1] <= 1.5
    assert {owner for owner, _ in waits[:20]} == set(loads), "nobody twice before all had one"


def test_a_run_that_dies_gives_its_turn_back():
    fleet = Fleet(owners_of(**UNEQUAL), Limits(at_once=4))
    fleet.live(SECONDS, seed=6, crashes=0.3)
    assert len(fleet.begun) == 100
    assert (fleet.most, len(fleet.dead) > 15) == (4, True)
    # Those that died last are noticed by the next look
    left = fleet.keeper.reader.line()
    assert not left.waiting
    assert all(isinstance(u, UnderWay) and (u.model, u.run) in fleet.dead for u in left.under_way)


def test_equal_fleets_are_retrained_in_equal_order():
    def order():
        fleet = Fleet(owners_of(large=18, middle=8, small=3, single=1), Limits(at_once=4))
        fleet.live(SECONDS, seed=7, crashes=0.1)
        return fleet.begun

    assert order() == order()


def test_two_keepers_of_one_ledger_never_let_in_more_than_are_allowed():
    fleet = Fleet(owners_of(**UNEQUAL), Limits(at_once=4))
    for model in fleet.owners:
        fleet.ask(model)
    other = Fleet(fleet.owners, fleet.limits)
    other.keeper._ledger = fleet.ledger
    with fleet.ledger.turn("retrainings") as is_ours:
        assert is_ours
        assert other.look() == [], "another one decides at this moment"
    other.asked = fleet.asked
    assert len(fleet.look()) == 4
    assert other.look() == []
    assert fleet.ledger.verify() == 104
