"""Packages that are kept in the store for pods: prune takes those that no pod can need again."""

from __future__ import annotations

import pytest

from pipelines.environments.record import EnvironmentRecord
from pipelines.errors import Corrupted
from pipelines.ledger import Crown, MemoryLedger
from pipelines.ops.prune.environments import unneeded_kept
from pipelines.ops.prune.store_leftovers import old_objects
from pipelines.ports import Ports
from pipelines.refs import canonical
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import load_settings
from pipelines.store.memory import MemoryStore
from pipelines.versions.memory import MemoryVersions
from tests.dags.specs import spec_text

OLD, LIMIT, NOW = 100.0, 200.0, 300.0


class World:
    """A store in which time stands where it is set, and a folder of models."""

    def __init__(self, home) -> None:
        self.moment = OLD
        self.settings = load_settings({"PERENNIAL_HOME": str(home)})
        self.store, self.ledger = MemoryStore(clock=lambda: self.moment), MemoryLedger()
        self.ports = Ports(self.store, MemoryVersions(), MemoryRegistry(), self.ledger)

    def keep(self, package: str) -> EnvironmentRecord:
        """Resolve to one package and keep it, as `resolve` and `keep` enter that."""
        lock = self.store.put(f"{package} --hash=…".encode(), ".txt")
        record = EnvironmentRecord(
            sha256=lock.sha256, requirements=[package], lock=lock, python="cpython-311"
        )
        self.store.publish(f"environments/{package}", canonical(record))
        archive = self.store.put(f"the files of {package}".encode(), ".tar.gz")
        entry = {"packages": [{"name": package, "archive": archive.model_dump()}]}
        self.store.publish(f"packages/{record.sha256}/cpython-311", canonical(entry))
        return record

    def crown(self, version: str, record: EnvironmentRecord) -> None:
        manifest = {"environment": record.model_dump(mode="json")}
        bundle = self.store.put(canonical(manifest), ".json")
        self.ledger.append("sales", version, Crown(version=version, bundle=bundle, release=1))

    def ask(self, text: str) -> None:
        folder = self.settings.models / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.yaml").write_text(text)

    def found(self) -> set[str]:
        return {leftover.name.split("/")[1] for leftover in self.leftovers()}

    def leftovers(self) -> list:
        return list(unneeded_kept(self.settings, self.ports, LIMIT))


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_they_stay_for_every_champion_there_was_and_go_where_no_bundle_names_them(world):
    first, second, unused = (world.keep(name) for name in ("pnfirst==1", "pnsecond==1", "pnno==1"))
    world.crown("1", first)
    world.crown("2", second)
    assert world.found() == {unused.sha256}


def test_they_stay_while_a_model_asks_for_them_though_nothing_was_released(world):
    asked, unused = world.keep("pnasked==1"), world.keep("pnno==1")
    world.ask(spec_text("demo") + "requires: [pnasked==1]\n")
    assert world.found() == {unused.sha256}
    world.ask(spec_text("demo"))
    assert world.found() == {unused.sha256, asked.sha256}


def test_what_a_broken_model_asks_for_is_not_known_so_all_stay(world):
    world.keep("pnno==1")
    world.ask("requires: [pnno==1\n")
    assert world.found() == set()


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[1]", b"null", b"no JSON", b"\xff", b'{"sha256": 1, "requirements": "all"}'],
)
def test_an_environment_that_cannot_be_read_is_named_and_nothing_goes(world, body):
    world.keep("pnno==1")
    world.store.publish("environments/of-another-kind", body)
    with pytest.raises(Corrupted, match=r"environments/of-another-kind .* nothing was removed"):
        world.leftovers()
    world.store.remove("entries", "environments/of-another-kind")
    assert len(world.leftovers()) == 1


@pytest.mark.parametrize("name", ["readme", "a/b/c", "0123/cpython-311"])
def test_an_entry_beside_the_kept_packages_is_named_and_nothing_goes(world, name):
    world.keep("pnno==1")
    world.store.publish(f"packages/{name}", b"{}")
    with pytest.raises(Corrupted, match=f"packages/{name} .* nothing was removed"):
        world.leftovers()


def test_what_is_young_stays_and_so_does_what_became_young_meanwhile(world):
    old = world.keep("pnold==1")
    (leftover,) = world.leftovers()
    world.moment = NOW
    world.keep("pnyoung==1")
    assert world.found() == {old.sha256}
    world.store.remove("entries", leftover.name)
    world.keep("pnold==1")
    assert not leftover.remove()
    assert world.store.read(leftover.name) is not None


def test_their_archives_go_with_them_and_those_that_others_need_stay(world):
    used = world.keep("pnused==1")
    world.crown("1", used)
    world.keep("pnno==1")
    entries = world.leftovers()
    gone = {i.name for i in old_objects(world.settings, world.ports, entries, LIMIT)}
    archives = {i.name for i in world.store.contents("objects") if i.name.endswith(".tar.gz")}
    assert len(archives) == 2
    assert len(gone & archives) == 1
    assert not {i.name for i in old_objects(world.settings, world.ports, [], LIMIT)} & archives
    assert all(leftover.remove() for leftover in entries)
    assert world.leftovers() == []
