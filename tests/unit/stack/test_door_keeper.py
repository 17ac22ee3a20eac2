"""What the keeper starts again: what was killed, and nothing that was stopped, removed or started meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from stack.door import keeper
from stack.door.keeper import Keeper


class Engine:
    """An engine that tells these events, then goes quiet, and remembers what it is asked."""

    def __init__(self, events):
        self.events = events
        self.asked = []

    async def lines(self, path):
        self.asked.append(path)
        for event in self.events:
            yield event
        await asyncio.Event().wait()

    async def post(self, path):
        self.asked.append(path)
        return 204


def event(action, code=None, container="abc"):
    attributes = {"name": "postgres", **({} if code is None else {"exitCode": code})}
    return {"Action": action, "Actor": {"ID": container, "Attributes": attributes}}


@pytest.mark.parametrize(
    ("events", "started"),
    [
        pytest.param([event("die", "137")], ["/containers/abc/start"], id="killed"),
        pytest.param([event("die", "137"), event("stop")], [], id="stopped after its grace"),
        pytest.param([event("die", "137"), event("destroy")], [], id="removed by force"),
        pytest.param([event("die", "137"), event("start")], [], id="started by its restart policy"),
        pytest.param([event("die", "0")], [], id="ended well"),
        pytest.param([event("die", "1")], [], id="crashed, which the engine mends"),
        pytest.param([event("die", "137"), event("stop", container="other")], ["/containers/abc/start"], id="another one stopped"),
        pytest.param([event("stop"), event("die", "137")], ["/containers/abc/start"], id="stopped, started and killed"),
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
