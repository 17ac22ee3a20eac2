"""Starts again what was killed. Docker takes `docker kill` for a wish and leaves the container ended, whatever its restart policy.

A kill is told from a stop by the engine's events: after `docker stop`, `docker compose down` and the like there is a `stop` or a
`destroy`; after a kill there is neither.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from stack.door.rules import KEPT

if TYPE_CHECKING:
    from stack.door.engine import Engine

KILLED = "137"
PAUSE_SECONDS = 1.0
"""How long a `stop` or a `destroy` may come after the end of a container."""

AGAIN_SECONDS = 2.0
STARTS = frozenset({204, 304})
GONE = frozenset({404, 409})
log = logging.getLogger("perennial.door")


@dataclass
class Keeper:
    """Keeps the containers of one stack at work: its services, and the releases made through the door."""

    engine: Engine
    stack: str
    _ended: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def keep(self) -> None:
        """Listen to the engine for ever; where it goes away, ask again."""
        while True:
            try:
                async for event in self.engine.lines(f"/events?{urlencode({'filters': json.dumps(self._filters)})}"):
                    self.heard(event)
            except (OSError, ValueError) as error:
                log.warning("the engine's events broke off: %s", error)
            await asyncio.sleep(AGAIN_SECONDS)

    @property
    def _filters(self) -> dict[str, list[str]]:
        return {"type": ["container"], "event": ["die", "stop", "start", "destroy"], "label": [f"{KEPT}={self.stack}"]}

    def heard(self, event: dict[str, Any]) -> None:
        """Remember an end; forget it when the engine says that it was wished, or has started the container itself."""
        actor = event["Actor"]
        container = str(actor["ID"])
        waiting = self._ended.pop(container, None)
        if waiting is not None:
            waiting.cancel()
        if event["Action"] == "die" and actor["Attributes"].get("exitCode") == KILLED:
            self._ended[container] = asyncio.create_task(self._start(container, str(actor["Attributes"].get("name"))))

    async def _start(self, container: str, name: str) -> None:
        await asyncio.sleep(PAUSE_SECONDS)
        self._ended.pop(container, None)
        status = await self.engine.post(f"/containers/{container}/start")
        if status in STARTS:
            log.warning("started %s again: it was killed", name)
        elif status not in GONE:
            log.error("%s was killed and cannot be started again: the engine answers %d", name, status)
