"""Starts again what was killed.

Docker takes `docker kill` for a wish and leaves the container ended, whatever its restart policy.

A kill is told from a stop by the engine's events: after `docker stop`, `docker compose down` and
the like there is a `stop` or a `destroy`; after a kill there is neither. What was stopped is
remembered, so that what was killed while nobody listened (the engine was away, or the door) can be
told from it, too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from door.rules import KEPT

if TYPE_CHECKING:
    from pathlib import Path

    from door.engine import GuardedEngine

KILLED = "137"
PAUSE_SECONDS = 1.0
"""How long a `stop` or a `destroy` may come after the end of a container."""

AGAIN_SECONDS = 2.0
STARTS = frozenset({204, 304})
GONE = frozenset({404, 409})
log = logging.getLogger("perennial.door")


class Keeper:
    """Keeps the containers of one stack at work.

    Its services, and the releases made through the door.
    """

    def __init__(self, engine: GuardedEngine, stack: str, memory: Path | None = None) -> None:
        """Remember in the file `memory` what was stopped.

        Without one, that is forgotten when the door ends.
        """
        self._engine = engine
        self._labels = [f"{KEPT}={stack}"]
        self._memory = memory
        self._start_tasks: dict[str, asyncio.Task[None]] = {}
        stopped_ids = _read(memory)
        self._has_memory, self._stopped_ids = stopped_ids is not None, stopped_ids or frozenset()
        self._newest_event_ns = time.time_ns()
        """When the newest event that was heard took place."""

    async def keep(self) -> None:
        """Listen to the engine for ever; where it goes away, ask again."""
        while True:
            try:
                await self.start_killed()
                async for event in self._engine.lines(self._events):
                    self.take_event(event)
            except (OSError, ValueError) as error:
                log.warning("the engine's events broke off: %s", error)
            except Exception:
                log.exception("the keeper failed, and goes on")
            await asyncio.sleep(AGAIN_SECONDS)

    @property
    def _events(self) -> str:
        """The events since the newest that was heard: the engine tells its last ones again."""
        filters = {
            "type": ["container"],
            "event": ["die", "stop", "start", "destroy"],
            "label": self._labels,
        }
        since = f"{self._newest_event_ns // 10**9}.{self._newest_event_ns % 10**9:09d}"
        return f"/events?{urlencode({'since': since, 'filters': json.dumps(filters)})}"

    async def start_killed(self) -> None:
        """Start the containers that were killed while nobody listened.

        The first time there is no memory of what was stopped before. Then nothing is started: the
        end may have been wished for.
        """
        filters = json.dumps({"label": self._labels})
        containers = await self._engine.list_objects(
            f"/containers/json?{urlencode({'all': 1, 'filters': filters})}"
        )
        names_of_killed = {
            str(container["Id"]): str(container["Names"])
            for container in containers
            if str(container["Status"]).startswith(f"Exited ({KILLED})")
        }
        self._remember(
            self._stopped_ids & {str(container["Id"]) for container in containers}
            if self._has_memory
            else frozenset(names_of_killed)
        )
        for container in names_of_killed.keys() - self._stopped_ids - self._start_tasks.keys():
            self._begin(container, names_of_killed[container])

    def take_event(self, event: dict[str, Any]) -> None:
        """Remember an end.

        Forget it when the engine says that it was wished for, or has started the container itself.
        """
        when = int(event.get("timeNano", 0))
        if when and when <= self._newest_event_ns:
            return
        self._newest_event_ns = max(when, self._newest_event_ns)
        actor, action = event["Actor"], event["Action"]
        container = str(actor["ID"])
        task = self._start_tasks.pop(container, None)
        if task is not None:
            task.cancel()
        if action == "stop":
            self._remember(self._stopped_ids | {container})
        elif action in {"start", "destroy"}:
            self._remember(self._stopped_ids - {container})
        elif action == "die" and actor["Attributes"].get("exitCode") == KILLED:
            self._begin(container, str(actor["Attributes"].get("name")))

    def _begin(self, container: str, name: str) -> None:
        self._start_tasks[container] = asyncio.create_task(self._start(container, name))

    async def _start(self, container: str, name: str) -> None:
        """Start a container that was killed, unless it turns out that it was stopped.

        Where the engine is away, ask again.
        """
        try:
            await asyncio.sleep(PAUSE_SECONDS)
            log.warning("%s was killed: starting it again", name)
            while True:
                status = await self._request_start(container)
                if status is not None:
                    break
                await asyncio.sleep(AGAIN_SECONDS)
            if status not in STARTS | GONE:
                log.error(
                    "%s was killed and cannot be started again: the engine answers %d", name, status
                )
        except Exception:
            log.exception("%s was killed and cannot be started again", name)
        finally:
            if self._start_tasks.get(container) is asyncio.current_task():
                del self._start_tasks[container]

    async def _request_start(self, container: str) -> int | None:
        """Return the engine's answer to the wish to start the container; None where it is away."""
        try:
            return await self._engine.post(f"/containers/{container}/start")
        except OSError as error:
            log.warning("the engine is away while a killed container waits for it: %s", error)
            return None

    def _remember(self, stopped_ids: frozenset[str]) -> None:
        """Remember which containers were stopped, in the file too."""
        is_changed, self._stopped_ids, self._has_memory = (
            stopped_ids != self._stopped_ids or not self._has_memory,
            stopped_ids,
            True,
        )
        if self._memory is None or not is_changed:
            return
        draft = self._memory.with_name(f"{self._memory.name}.tmp")
        try:
            draft.write_text(json.dumps(sorted(stopped_ids)), encoding="utf-8")
            draft.replace(self._memory)
        except OSError as error:
            # No traceback: the disk is full.
            log.error(  # noqa: TRY400
                "what was stopped cannot be kept in %s: %s", self._memory, error
            )


def _read(memory: Path | None) -> frozenset[str] | None:
    """Return what stands in the file; None where nothing that can be read does."""
    try:
        return None if memory is None else frozenset(map(str, json.loads(memory.read_bytes())))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s does not tell what was stopped: %s", memory, error)
        return None
