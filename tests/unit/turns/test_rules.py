"""Whose turn it is: who begins, who waits, who is declined, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.turns.limits import Limits
from pipelines.turns.rules import LONGEST, Line, UnderWay, Waiting, give_turns

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def waits(model, owner="shop", minutes_ago=0.0, number=0, **facts):
    asked = NOON - minutes_ago * MINUTE
    return Waiting(
        **{
            "model": model,
            "run": "r",
            "owner": owner,
            "asked": asked,
            "since": asked,
            "number": number,
            **facts,
        }
    )


def works(model, owner="shop"):
    return UnderWay(model=model, run="r", owner=owner, since=NOON - MINUTE)


def begun(owner, minutes_ago):
    return owner, NOON - minutes_ago * MINUTE


def give(waiting, limits, under_way=(), past=()):
    return give_turns(Line(waiting, under_way, past), limits, NOON)


def names(waiting):
    return [w.model for w in waiting]


def test_without_a_limit_everybody_begins():
    assert names(give([waits("a"), waits("b")], Limits()).begin) == ["a", "b"]


def test_as_many_begin_as_there_is_room_for_and_the_others_are_told_why():
    turns = give(
        [waits("a", number=1), waits("b", number=2), waits("c", number=3)],
        Limits(at_once=2),
        [works("z")],
    )
    assert names(turns.begin) == ["a"]
    assert [(w.model, why) for w, why in turns.waiting] == [
        ("b", "2 of 2 retrainings are under way"),
        ("c", "2 of 2 retrainings are under way"),
    ]


def test_the_owner_with_the_fewest_under_way_is_next_then_the_one_longest_without():
    line = [
        waits("a1", "a", 9),
        waits("b1", "b", 8),
        waits("c1", "c", 7),
    ]
    past = [begun("b", 30), begun("c", 50), begun("a", 60)]
    assert names(give(line, Limits(at_once=2), [works("a0", "a")], past).begin) == ["c1"]


def test_a_full_owner_holds_up_nobody_else():
    limits = Limits(at_once=3, at_once_per_owner={"": 3, "a": 1})
    turns = give([waits("a1", "a", 9), waits("b1", "b")], limits, [works("a0", "a")])
    assert names(turns.begin) == ["b1"]
    assert turns.waiting[0][1] == "1 of 1 retrainings of a are under way"


def test_a_priority_is_worth_an_hour_each_and_no_more():
    line = [
        waits("plain", minutes_ago=119),
        waits("urgent", priority=2),
        waits("old", minutes_ago=121),
    ]
    order = give(line, Limits(at_once=1), [works("z")])
    assert [w.model for w, _ in order.waiting] == ["old", "urgent", "plain"]


def test_a_priority_pushes_no_other_owner_back():
    line = [waits("a1", "a", priority=10), waits("a2", "a", priority=10), waits("b1", "b")]
    assert names(give(line, Limits(at_once=2)).begin) == ["a1", "b1"]


def test_whoever_goes_first_waits_for_room_alone():
    limits = Limits(at_once=2, at_once_per_owner={"": 1}, per_day=1)
    line = [waits("a1", "a", 600, first=False), waits("b1", "b", first=True)]
    past = [begun("b", 5)]
    turns = give(line, limits, [works("b0", "b")], past)
    assert names(turns.begin) == ["b1"]
    assert give(line, limits, [works("b0", "b"), works("c0", "c")], past).waiting[0][0].first


def test_a_day_s_budget_declines_what_is_beyond_it():
    line = [waits("a1", "a", 2), waits("b1", "b", 1)]
    past = [begun("c", 13 * 60), begun("c", 11 * 60)]  # one of yesterday, one of today
    turns = give(line, Limits(per_day=2), past=past)
    assert names(turns.begin) == ["a1"]
    assert turns.declined == [
        (line[1], "the day's budget is used up: 2 of 2 retrainings have begun (UTC)")
    ]


def test_an_owner_s_budget_declines_that_owner_alone():
    line = [waits("a1", "a"), waits("b1", "b")]
    turns = give(line, Limits(per_day_per_owner={"a": 1}), past=[begun("a", 60)])
    assert names(turns.begin) == ["b1"]
    assert turns.declined[0][1].startswith("a's budget of the day is used up: 1 of 1")


@pytest.mark.parametrize(("late", "declined"), [(-MINUTE, 0), (timedelta(0), 1)])
def test_who_waited_for_a_day_is_declined(late, declined):
    asked = NOON - LONGEST - late
    turns = give([waits("a", asked=asked, since=asked)], Limits(at_once=1), [works("z")])
    assert len(turns.declined) == declined
