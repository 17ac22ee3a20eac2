"""What the keeper starts again.

What was killed, and nothing that was stopped, removed or started meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from door import keeper
from door.engine import EngineAway
from door.keeper import Keeper


class Engine:
    """An engine that tells these events, then goes quiet, and remembers what it is asked.

    An event that is an exception breaks the stream off; the first `refused` posts find the engine
    away.
    """

    def __init__(self, events, there=(), refused=0):
        self.events = list(events)
        self.asked = []
        self.there = there
        self.refused = refused

    async def list_objects(self, path):
        assert "perennial.kept" in path
        return [
            {"Id": name, "Names": [f"/{name}"], "Status": status}
            for name, status in dict(self.there).items()
        ]

    async def lines(self, path):
        self.asked.append(path)
        while self.events:
            event = self.events.pop(0)
            if isinstance(event, Exception):
                raise event
            yield event
        await asyncio.Event().wait()

    async def post(self, path):
        self.asked.append(path)
        if self.refused:
            self.refused -= 1
            raise EngineAway("the engine is away")
        return 204


def event(action, code=None, container="abc", **more):
    attributes = {"name": "postgres", **({} if code is None else {"exitCode": code})}
    return {"Action": action, "Actor": {"ID": container, "Attributes": attributes}, **more}


@pytest.fixture
def quick(monkeypatch):
    """A keeper that waits for nothing long; how long it waits decides nothing in these tests."""
    monkeypatch.setattr(keeper, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(keeper, "AGAIN_SECONDS", 0.01)


def kept(engine, memory=None, until=lambda: False):
    """Let a keeper listen to the engine until this is so, or for a while.

    Return what was asked to be started.
    """

    async def keep():
        task = asyncio.create_task(Keeper(engine, "mine", memory).keep())
        for _ in range(60):
            await asyncio.sleep(0.01)
            if until():
                break
        assert not task.done()
        task.cancel()

    asyncio.run(keep())
    return [path for path in engine.asked if path.startswith("/containers/")]


@pytest.mark.parametrize(
    ("events", "started"),
    [
        pytest.param([event("die", "137")], ["/containers/abc/start"], id="killed"),
        pytest.param([event("die", "137"), event("stop")], [], id="stopped after its grace"),
        pytest.param([event("die", "137"), event("destroy")], [], id="removed by force"),
        pytest.param([event("die", "137"), event("start")], [], id="started by its restart policy"),
        pytest.param([event("die", "0")], [], id="ended well"),
        pytest.param([event("die", "1")], [], id="crashed, which the engine mends"),
        pytest.param(
            [event("die", "137"), event("stop", container="other")],
            ["/containers/abc/start"],
            id="another one stopped",
        ),
        pytest.param(
            [event("stop"), event("die", "137")],
            ["/containers/abc/start"],
            id="stopped, started and killed",
        ),
    ],
)
def test_what_was_killed_is_started_again(events, started):
    engine = Engine(events)

    async def keep():
        task = asyncio.create_task(Keeper(engine, "mine").keep())
        await asyncio.sleep(keeper.PAUSE_SECONDS + 0.2)
        task.cancel()

    asyncio.run(keep())
    assert engine.asked[1:] == started
    assert "perennial.kept%3Dmine" in engine.asked[0]


START = ["/containers/abc/start"]
KILLED = {
    "abc": "Exited (137) 3 minutes ago",
    "fine": "Up 2 hours",
    "ended": "Exited (0) 2 hours ago",
    "crashed": "Exited (1) 1 hour ago",
}


@pytest.mark.usefixtures("quick")
class TestWhenThingsFail:
    def test_an_engine_that_is_away_is_asked_again(self):
        engine = Engine([event("die", "137")], refused=3)
        assert kept(engine) == START * 4

    @pytest.mark.parametrize(
        "fault",
        [RuntimeError("a fault"), KeyError("Actor"), EngineAway("away"), ValueError("no JSON")],
    )
    def test_the_keeper_goes_on_after_any_fault(self, fault, caplog):
        with caplog.at_level(logging.WARNING):
            assert kept(Engine([fault, event("die", "137")])) == START
        assert caplog.records

    def test_an_event_that_cannot_be_read_is_passed_over(self):
        assert kept(Engine([{"Action": "die"}, event("die", "137")])) == START

    def test_an_event_that_is_told_again_counts_once(self):
        died = event("die", "137", timeNano=2**62)
        engine = Engine([died, event("start", timeNano=2**62 + 1), EngineAway("away"), died])
        assert kept(engine) == []


@pytest.mark.usefixtures("quick")
class TestWhatWasKilledUnheard:
    @pytest.fixture
    def memory(self, tmp_path):
        file = tmp_path / "stopped.json"
        file.write_text("[]")
        return file

    def test_it_is_started_after_the_engine_was_away(self):
        engine = Engine([])

        async def keep():
            one = Keeper(engine, "mine")
            await one.start_killed()
            engine.there = KILLED
            await one.start_killed()
            await asyncio.sleep(0.2)

        asyncio.run(keep())
        assert engine.asked == START

    def test_it_is_started_after_the_door_was_away(self, memory):
        assert kept(Engine([], KILLED), memory) == START

    def test_a_door_that_knows_nothing_yet_starts_nothing_and_remembers_that(self, tmp_path):
        memory = tmp_path / "stopped.json"
        assert kept(Engine([], KILLED), memory) == []
        assert json.loads(memory.read_text()) == ["abc"]
        assert kept(Engine([], KILLED), memory) == []

    def test_what_was_stopped_stays_so(self, memory):
        kept(
            Engine([event("die", "137"), event("stop")]),
            memory,
            until=lambda: "abc" in memory.read_text(),
        )
        assert kept(Engine([], KILLED), memory) == []

    def test_what_was_stopped_and_started_since_is_not_remembered(self, memory):
        kept(Engine([event("stop"), event("start")]), memory)
        assert json.loads(memory.read_text()) == []

    def test_a_stop_that_is_told_late_is_believed(self, memory):
        assert kept(Engine([event("stop")], KILLED), memory) == []

    def test_a_memory_that_cannot_be_read_starts_nothing(self, memory, caplog):
        memory.write_text("{")
        assert kept(Engine([], KILLED), memory) == []
        assert "does not tell" in caplog.text

    def test_what_is_gone_is_forgotten(self, memory):
        memory.write_text('["gone"]')
        kept(Engine([], KILLED), memory)
        assert json.loads(memory.read_text()) == []
