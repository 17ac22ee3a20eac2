"""Every order in which promotions can get in each other's way, and every place where they can die.

What runs is the product's own machine (`pipelines.deployment.promotion`), step by step, on the
ports in memory. Behind any effect a promotion may die, and begin again. With the lock that a model
has, one is at work at a time, and whoever waits may be next. Without it, one may be held up before
any call that it makes of ledger, store, registry or server, while the others go on; then two may
overtake each other for ever, so it is bounded how often somebody is held up.

Two places that look alike (the same ledger, store and alias, and promotions that have seen the
same) go on alike. So each is looked at once, and the orders that lead there are counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.deployment import promotion, reconciling
from pipelines.deployment.process_target import ProcessTarget
from pipelines.deployment.promotion import State
from pipelines.errors import PerennialError
from pipelines.ledger import Crown, MemoryLedger
from pipelines.registry.memory import MemoryRegistry
from pipelines.store.memory import MemoryStore
from tests.unit.deployment.held_up import (
    NOW,
    Answering,
    Found,
    Pause,
    Promoter,
    Script,
    World,
    assert_agreement,
    start,
    world_of,
)
from tests.unit.steps.deployments import MODEL, Following

if TYPE_CHECKING:
    from pipelines.context import Context


class Explorer:
    """Explores what can come of promotions that start together.

    `crashes` is how often each may die; who died for the last time does not begin again where
    `abandoned`. With `locked` one of them is at work at a time, as the lock of a model has it.
    The server refuses the version `refused`.
    `turns` bounds how often somebody is held up who could go on; it is needed without the lock.
    """

    def __init__(
        self,
        rivals: int,
        *,
        champion: bool = True,
        crashes: int = 1,
        locked: bool = False,
        abandoned: bool = False,
        refused: str = "",
        turns: int | None = None,
    ) -> None:
        self._context, self._base, orders = start(rivals, champion=champion)
        self._promoters = tuple(Promoter(order, lives=crashes) for order in orders)
        self._champion, self._refuses = champion, {refused}
        self._locked, self._abandoned, self._turns = locked, abandoned, turns
        self._orders_from: dict[Any, int] = {}
        self.found = Found()

    def explore(self) -> Found:
        """Look at every place; return what was found.

        Raises AssertionError where a promise breaks.
        """
        self.found.orders = self._visit(self._base, self._promoters, None, self._turns)
        return self.found

    def _visit(
        self, world: World, promoters: tuple[Promoter, ...], last: int | None, turns: int | None
    ) -> int:
        """Return in how many orders it can go on from here."""
        place = world.key(), tuple(p.key() for p in promoters), turns and last, turns
        if place in self._orders_from:
            return self._orders_from[place]
        self.found.places += 1
        ready = self._ready(promoters)
        if not ready:
            self._judge(world, promoters)
            self._orders_from[place] = 1
            return 1
        orders = 0
        for number in ready:
            held_up = last is not None and number != last and last in ready
            if held_up and turns == 0:
                continue
            left = turns - 1 if turns is not None and held_up else turns
            after, promoter, effect = self._advance(world, promoters[number])
            self.found.steps += 1
            branches = [promoter]
            if effect and promoters[number].lives:
                branches.append(self._die(promoter))
                self.found.crashes += 1
            for branch in branches:
                others = (*promoters[:number], branch, *promoters[number + 1 :])
                orders += self._visit(after, others, number, left)
        self._orders_from[place] = orders
        return orders

    def _ready(self, promoters: tuple[Promoter, ...]) -> list[int]:
        """Return who can make a step: with the lock, who holds it, else whoever has not ended."""
        alive = [number for number, promoter in enumerate(promoters) if not promoter.end]
        inside = [number for number in alive if promoters[number].inside]
        return inside if self._locked and inside else alive

    def _die(self, promoter: Promoter) -> Promoter:
        """Return the promotion as a new process begins it again, or as nobody does."""
        lives = promoter.lives - 1
        gone = self._abandoned and lives == 0
        return Promoter(promoter.order, lives=lives, end="died" if gone else "")

    def _advance(self, world: World, promoter: Promoter) -> tuple[World, Promoter, bool]:
        """Make one call of the promotion's present step; end the step where that was its last."""
        context = self._open(world)
        script = Script(promoter.answers, alone=self._locked)
        ports = replace(
            context.ports,
            **{
                name: Answering(getattr(context.ports, name), script)
                for name in ("ledger", "store", "registry")
            },
        )
        target = ProcessTarget(Answering(self._server(context), script))
        before, order = promoter.progress, promoter.order
        try:
            progress = promotion.advance(replace(context, ports=ports), order, target, before)
        except Pause:
            after = replace(promoter, answers=script.answers, inside=True)
        except PerennialError as error:
            if before.state != State.GIVEN_UP:
                raise AssertionError(f"{before.state} raised") from error
            after = replace(promoter, answers=(), inside=False, end=type(error).__name__)
        else:
            self.found.transitions.add((before.state, progress.state))
            end = "won" if progress.state == State.SETTLED else ""
            after = replace(promoter, progress=progress, answers=(), inside=not end, end=end)
        return world_of(context.ports), after, script.effect

    def _server(self, context: Context) -> Following:
        return Following(context, self._refuses)

    def _open(self, world: World) -> Context:
        """Return a context on this world."""
        ledger, store, registry = MemoryLedger(lambda: NOW), MemoryStore(), MemoryRegistry()
        ledger._entries, ledger._head = list(world.entries), world.head
        store.entries, store.objects = dict(world.published), self._objects
        registry._versions = self._versions
        if world.alias:
            registry._aliases[MODEL] = world.alias
        ports = replace(self._context.ports, ledger=ledger, store=store, registry=registry)
        return replace(self._context, ports=ports)

    @property
    def _objects(self) -> dict[str, bytes]:
        store = self._context.ports.store
        assert isinstance(store, MemoryStore)
        return store.objects

    @property
    def _versions(self) -> Any:
        registry = self._context.ports.registry
        assert isinstance(registry, MemoryRegistry)
        return registry._versions

    def _judge(self, world: World, promoters: tuple[Promoter, ...]) -> None:
        """Hold an end against what is promised."""
        ends = tuple(sorted(promoter.end for promoter in promoters))
        self.found.ends[ends] += 1
        crowns = [e.read(Crown) for e in world.entries if e.kind == "champion"]
        before = [None, *(crown.version for crown in crowns)]
        assert [crown.previous for crown in crowns] == before[:-1], "a crown was not compared"
        new = crowns[1:] if self._champion else crowns
        assert len(new) <= 1, "two were crowned over the same champion"
        assert set(ends) <= {"won", "Conflict", "Refused", "died"}, ends
        everybody = "died" not in ends
        if everybody:
            assert ends.count("won") == len(new), "who won was not told"
        context = self._open(world)
        target = ProcessTarget(self._server(context))
        if self._locked and everybody:
            assert len(new) == 1, "nobody won"
            assert_agreement(context)
        reconciling.reconcile(context, target)
        assert_agreement(context)
        assert reconciling.reconcile(context, target) == []
