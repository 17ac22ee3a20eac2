"""A small model with a champion, made once; each test reads it, or changes a copy of its folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.store.memory import MemoryStore
from pipelines.training.threads import limit_threads
from pipelines.versions.memory import MemoryVersions
from tests.decisions import crown
from tests.served import packaged
from tests.worlds import World, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.context import Context

DAY = 4


@dataclass(frozen=True)
class Made:
    """A world whose version 1 is champion, and its ports."""

    world: World
    ports: Ports

    @property
    def context(self) -> Context:
        return self.world.context(self.ports)

    def copied(self, home: Path) -> Made:
        """The same ports, and a folder that a test may change."""
        shutil.copytree(self.world.home, home)
        return replace(self, world=World(home))

    def with_ports(self, **ports: Any) -> Made:
        return replace(self, ports=replace(self.ports, **ports))


@pytest.fixture(scope="package")
def made(tmp_path_factory) -> Made:
    world = make_world(tmp_path_factory.mktemp("rebuild") / "home")
    world.respec("train: {window: 5 batches", "train: {window: 2 batches")
    ports = Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
    bundle = packaged(world.context(ports), DAY)
    champion = crown(bundle.version, bundle.bundle)
    ports.ledger.crown("sales", expected=None, champion=champion, key="first")
    return Made(world, ports)


@pytest.fixture
def one_thread():
    """As the steps hold it: OpenMP's threads spin where cores are shared."""
    with limit_threads(1):
        yield
