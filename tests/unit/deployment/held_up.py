"""Promotions that can be held up before a call, and the world in which they are."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.bundle.manifest import Release
from pipelines.deployment import releases
from pipelines.deployment.promotion import Order, Progress, State
from pipelines.errors import PerennialError
from pipelines.ledger import MemoryLedger
from pipelines.refs import sha256
from tests.unit.steps.deployments import MODEL, deploy_request, deploy_version, world_to_deploy

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.ledger.port import Entry

EFFECTS = {"append", "crown", "publish", "point"}
CALLS = EFFECTS | {"find", "entries", "champion", "keys", "read", "alias", "serves"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Answer = tuple[str, Any, PerennialError | None]


class Pause(BaseException):
    """A promotion is held up before its next call."""


@dataclass(frozen=True)
class World:
    """What outlasts every crash."""

    entries: tuple[Entry, ...]
    head: Any
    published: tuple[tuple[str, bytes], ...]
    alias: str | None

    def key(self) -> tuple[Any, ...]:
        return self.head.hash, self.published, self.alias


@dataclass(frozen=True)
class Promoter:
    """One promotion: how far it is, what its present step was answered, and how it ended."""

    order: Order
    progress: Progress = field(default_factory=Progress)
    answers: tuple[Answer, ...] = ()
    lives: int = 0
    inside: bool = False
    end: str = ""

    def key(self) -> tuple[Any, ...]:
        at = self.progress
        return (
            (at.state, at.attempt, at.release and at.release.number, at.crown and at.crown.release),
            type(at.error).__name__,
            tuple(digest for digest, _, _ in self.answers),
            (self.lives, self.inside, self.end),
        )


@dataclass
class Found:
    """What an exploration came upon."""

    places: int = 0
    steps: int = 0
    crashes: int = 0
    orders: int = 0
    ends: Counter[tuple[str, ...]] = field(default_factory=Counter)
    transitions: set[tuple[State, State]] = field(default_factory=set)


class Answering:
    """A port that gives the answers of before, then makes one more call, then holds up."""

    def __init__(self, port: Any, script: Script) -> None:
        self._port, self._script = port, script

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name not in CALLS:
            return method
        return lambda *args, **kwargs: self._script.answer(name, method, args, kwargs)


class Script:
    """The answers of a step so far.

    With `alone` nobody else is at work, so it is held up before effects only.
    """

    def __init__(self, answers: tuple[Answer, ...], *, alone: bool) -> None:
        self.answers = answers
        self.effect = False
        self._alone = alone
        self._next = 0
        self._asked = False

    def answer(self, name: str, method: Any, args: Any, kwargs: Any) -> Any:
        if self._next == len(self.answers):
            if self._asked and (name in EFFECTS or not self._alone):
                raise Pause
            self.effect |= name in EFFECTS
            self._asked |= self.effect or not self._alone
            self.answers = (*self.answers, _ask(method, args, kwargs))
        _, value, error = self.answers[self._next]
        self._next += 1
        if error is not None:
            raise error
        return value


def _ask(method: Any, args: Any, kwargs: Any) -> Answer:
    try:
        value = method(*args, **kwargs)
    except PerennialError as error:
        return sha256(str(error).encode()), None, error
    return sha256(repr(value).encode()), value, None


def assert_agreement(context: Context) -> None:
    """What serves and the alias are the champion's; all that serves is in the ledger."""
    ports = context.ports
    ports.ledger.verify()
    known = releases.list_releases(ports.ledger, MODEL)
    champion, top = ports.ledger.champion(MODEL), releases.newest(ports.store, MODEL)
    for key in ports.store.keys(f"releases/{MODEL}"):
        release = Release.model_validate_json(ports.store.read(key) or b"")
        assert release in known, f"{key} is not in the ledger"
    if champion is not None:
        assert top is not None
        assert (top.version, top.bundle) == (champion.version, champion.bundle), "served is another"
        assert ports.registry.alias(MODEL) == champion.version, "the alias is another's"


def start(rivals: int, *, champion: bool) -> tuple[Context, World, list[Order]]:
    """Return a world in which version 1 serves (or nothing does), and who wants to replace it."""
    world = world_to_deploy()
    context = replace(world.context, log=logging.getLogger("interleavings"))
    context.log.setLevel(logging.CRITICAL)
    ledger = MemoryLedger(lambda: NOW)
    context = replace(context, ports=replace(context.ports, ledger=ledger))
    world = replace(world, context=context)
    if champion:
        deploy_version(world, deploy_request(world, "1", None))
    orders = []
    for version in ("2", "3", "1" if not champion else "4")[:rivals]:
        if version == "4":
            parent = world.built.parent_run
            context.ports.registry.register(MODEL, parent, "run4", Path(__file__), {})
        request = deploy_request(world, version, "1" if champion else None)
        orders.append(
            Order(
                run=request.run,
                version=version,
                bundle=request.package.bundle,
                expected=request.gate.champion,
                reason=f"promoted by {request.run}",
            )
        )
    return context, world_of(context.ports), orders


def world_of(ports: Any) -> World:
    return World(
        tuple(ports.ledger._entries),
        ports.ledger._head,
        tuple(sorted(ports.store.entries.items())),
        ports.registry._aliases.get(MODEL),
    )
