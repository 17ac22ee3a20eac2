"""A past of days that turns over half way, lived through once; tests copy it, cache and all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.replay.contenders import ALWAYS, BETTER, NEVER, schedule
from pipelines.replay.replaying import Manner, Replayed, replay
from tests.worlds import FIRST, World, make_world, visits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.replay.contenders import Contender

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 9
TURNS = 6
"""From this day on the inputs tell the opposite."""
CONTENDERS = (NEVER, ALWAYS, BETTER, schedule(3))


@dataclass(frozen=True)
class Lived:
    """A world, and the replay of it."""

    world: World
    found: Replayed

    def copied(self, home: Path) -> World:
        """The same world with all that the replay computed, which a test may change."""
        shutil.copytree(self.world.home, home, symlinks=True)
        return World(home)


def live(world: World, contenders: Sequence[Contender] = CONTENDERS, **options: Any) -> Replayed:
    """Replay a world in this process."""
    manner = options.pop("manner", Manner(workers=1))
    return replay(world.context(), contenders, now=NOW, manner=manner, **options)


def day(number: int) -> datetime:
    """The moment at which a day begins; 0 is the first."""
    return FIRST + timedelta(days=number)


@pytest.fixture(scope="package")
def lived(tmp_path_factory) -> Lived:
    world = make_world(tmp_path_factory.mktemp("replay") / "home", days=DAYS)
    world.respec("until: 2024-01-09", "until: 2024-01-10")
    world.respec("train: {window: 5 batches", "train: {window: 2 batches")
    world.respec(", search: {C: [0.1, 1.0]}", "")
    for number in range(TURNS, DAYS):
        world.rewrite(number, visits(number, signal=-1.0))
    return Lived(world, live(world))
