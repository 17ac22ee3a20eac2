"""Who answers a replay's questions: each once, in order, and it is said how far it is."""

from __future__ import annotations

import pytest

from pipelines.replay.answers import Check, Make, answering
from pipelines.replay.batches import gather
from pipelines.replay.workroom import Workroom
from tests.unit.replay.conftest import DAYS, day

FIRST = 2


def opened(world):
    context = world.context()
    workroom = Workroom(context.spec, context.settings)
    return workroom, gather(workroom.open(), day(FIRST), day(DAYS))


def test_it_is_said_how_far_it_is_where_several_versions_are_asked_for(lived):
    workroom, past = opened(lived.world)
    said = []
    with answering(workroom, 1, said.append) as ask:
        ask.tell_past(past)
        ask([Make(day(FIRST))])
        assert said == []
        found = ask([Make(day(n)) for n in range(FIRST, 8)])
    assert [version.moment for version in found] == [day(n) for n in range(FIRST, 8)]
    assert said == [
        "4 of 5 versions made, the last one at 2024-01-07T00",
        "5 of 5 versions made, the last one at 2024-01-08T00",
    ]


@pytest.mark.slow
def test_other_processes_answer_the_same(lived):
    workroom, past = opened(lived.world)
    batches = list(past.batches.values())[:2]
    with answering(workroom, 2) as ask:
        assert [found.why for found in ask([Check(batch) for batch in batches])] == ["", ""]
        ask.tell_past(past)
        found = ask([Make(day(FIRST)), Make(day(FIRST + 1))])
    with answering(workroom, 1) as ask:
        ask.tell_past(past)
        assert ask([Make(day(FIRST)), Make(day(FIRST + 1))]) == found
