"""One state that has lived and its backup, made once; tests restore it where they change it."""

from __future__ import annotations

import os

import pytest

from pipelines.inference_log.personal_data import PersonalKey
from pipelines.ledger import MemoryLedger
from pipelines.ops.backup.creation import backup
from pipelines.ports import Ports
from pipelines.private_files import keep_private
from pipelines.registry.memory import MemoryRegistry
from pipelines.store.memory import MemoryStore
from pipelines.versions.memory import MemoryVersions
from tests.served import Watched
from tests.unit.ops.lived import restored, retrain
from tests.unit.ops.people import live
from tests.worlds import make_world


@pytest.fixture(scope="package", autouse=True)
def private():
    """As in every process of ours, whoever makes a state here makes it for its owner alone."""
    before = os.umask(0)
    os.umask(before)
    keep_private()
    yield
    os.umask(before)


@pytest.fixture(scope="package")
def old(tmp_path_factory):
    """A world whose model was promoted, served and logged, in a folder with every sign that a path
    may hold."""
    world = make_world(tmp_path_factory.mktemp("lived") / "it's Überall & (x) ~!@=+,^;" / "home")
    judged, deployed = retrain(world, 6, "first")
    assert (judged.verdict, deployed.release) == ("promote", 1)
    PersonalKey(world.settings.personal_key).hash_of("somebody")
    served = Watched(world, world.context().ports)
    served.serve(served.rows(6))
    return world


@pytest.fixture(scope="package")
def lived(tmp_path_factory):
    """A context in memory that knows a person, and its features version; tests copy it."""
    world = make_world(tmp_path_factory.mktemp("people") / "home")
    ports = Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
    return world.context(ports), live(world.context(ports))


@pytest.fixture(scope="package")
def tar(old):
    said = []
    path = old.home.parent / "backup.tar"
    backup(old.settings, path, said.append)
    assert any(line.startswith("store/objects") for line in said)
    return path


@pytest.fixture
def restored_state(old, tar, tmp_path):
    return restored(old, tar, tmp_path / "home")
