"""Packages that a champion records: `doctor` looks at them, `prune` leaves them alone."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.bundle.load import read_manifest, write_bundle
from pipelines.bundle.manifest import Release
from pipelines.deployment.docker.engine import Image
from pipelines.deployment.docker.names import labels
from pipelines.environments.ready import paths
from pipelines.environments.resolution import resolve
from pipelines.fence.own_code import OwnCode
from pipelines.ledger import Champion
from pipelines.ops.doctor import champions
from pipelines.ops.doctor.packages import check_packages
from pipelines.ops.prune import environments
from pipelines.refs import canonical
from tests.unit.ops.lived import restored
from tests.wheels import Index, only_index

LONG_AGO = 1_000_000_000


@pytest.fixture
def index(tmp_path):
    """The index that uv asks."""
    index = Index(tmp_path / "simple")
    index.add("pnclock", "1.0")
    for _ in only_index(index.url):
        yield index


@pytest.fixture
def crowned(old, tar, tmp_path, index):
    """A state whose champion is native and records an environment; its ports and its overlay."""
    world = restored(old, tar, tmp_path / "home")
    ports, settings = world.context().ports, world.settings
    champion = ports.ledger.champion("sales")
    record = resolve(["pnclock==1.0"], ports.store)
    (site,) = paths(record, settings, ports.store)
    manifest = read_manifest(ports.store, champion.bundle)
    code = ports.store.put(canonical(OwnCode(model="sales", files={})), ".json")
    changes = {"environment": record, "compiled": False, "why_native": "a test", "code": code}
    bundle = write_bundle(ports.store, manifest.model_copy(update=changes))
    return world, champion.model_copy(update={"bundle": bundle}), Path(site).parent


def look(crowned, **settings):
    world, champion, _ = crowned
    (found,) = check_packages(
        world.settings.replace(**settings), world.context().ports, "sales", champion
    )
    return found.state, found.said, found.remedy


def test_a_whole_environment_is_ok(crowned):
    state, said, _ = look(crowned)
    assert (state, "nothing in it was yanked" in said) == ("ok", True)


def test_an_index_that_is_away_makes_no_problem(crowned):
    for _ in only_index("http://127.0.0.1:9/simple"):
        state, said, _ = look(crowned)
    assert (state, "did not answer" in said) == ("ok", True)


def test_a_damaged_one_is_a_problem_with_its_remedy(crowned):
    (crowned[2] / "site" / "pnclock" / "__init__.py").write_text("EVIL = 1\n")
    state, said, remedy = look(crowned)
    assert (state, "pnclock/__init__.py was changed" in said) == ("problem", True)
    assert "perennial check sales" in remedy
    # A container has its own packages, in its image.
    assert look(crowned, target="docker")[0] == "warning"


class OneImage:
    """An engine with the image of one release, which has these labels."""

    def __init__(self, labels):
        self.labels = labels

    def image(self, _name):
        return Image(f"sha256:{'1' * 64}", self.labels)


def test_an_image_without_the_packages_of_its_bundle_is_a_problem(crowned):
    world, champion, _ = crowned
    ports = world.context().ports
    manifest = read_manifest(ports.store, champion.bundle)
    release = Release(
        model="sales",
        number=champion.release,
        version=champion.version,
        bundle=champion.bundle,
        reason="",
    )
    own = labels(release, manifest, "promote")

    def found(own):
        check = champions._check_image(OneImage(own), ports, ports.ledger, "sales", champion)
        return next(iter(check))

    assert own["perennial.environment"] == manifest.environment.sha256
    assert (found(own).state, manifest.environment.sha256[:12] in found(own).said) == ("ok", True)
    del own["perennial.environment"]
    assert (found(own).state, "does not bring the packages" in found(own).said) == ("problem", True)
    assert "perennial reconcile sales" in found(own).remedy


def test_what_was_yanked_since_is_a_warning(crowned, index):
    page = index.root / "pnclock" / "index.html"
    page.write_text(page.read_text().replace("<a ", '<a data-yanked="broken" '))
    state, said, _ = look(crowned)
    assert (state, "pnclock==1.0 was yanked" in said) == ("warning", True)


def test_without_packages_there_is_no_finding(old, tar, tmp_path):
    world = restored(old, tar, tmp_path / "home")
    ports = world.context().ports
    champion = ports.ledger.champion("sales")
    assert list(check_packages(world.settings, ports, "sales", champion)) == []


def test_unused_packages_go_and_those_of_a_champion_stay(crowned, index, monkeypatch):
    world, champion, needed = crowned
    ports, settings = world.context().ports, world.settings
    index.add("pnother", "1.0")
    (site,) = paths(resolve(["pnother==1.0"], ports.store), settings, ports.store)
    unused, limit = Path(site).parent, LONG_AGO + timedelta(days=1).total_seconds()
    for folder in (needed, unused):
        os.utime(folder / "record.json", (LONG_AGO, LONG_AGO))
    monkeypatch.setattr(
        type(ports.ledger), "champion", lambda *_: Champion.model_validate(champion)
    )
    (leftover,) = environments.unused_environments(settings, ports, limit)
    assert (leftover.name, leftover.bytes > 0) == (unused.name, True)
    paths(resolve(["pnother==1.0"], ports.store), settings, ports.store)
    assert not leftover.remove()
    os.utime(unused / "record.json", (LONG_AGO, LONG_AGO))
    assert leftover.remove()
    assert [folder.is_dir() for folder in (needed, unused)] == [True, False]
