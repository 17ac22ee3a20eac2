"""A retraining of a model that requires a package: all that remembers it names the environment."""

import pytest

from pipelines.bundle.load import read_manifest
from pipelines.ledger import Crown, GateVerdict
from pipelines.ops.prune.needed import needed_objects
from tests.unit.ops.lived import retrain

pytestmark = pytest.mark.slow


@pytest.fixture
def required(world, index):
    """A world whose `build` needs the package that its model requires."""
    index.add("pnclock", "1.0", {"pnclock.py": "FACTOR = 10\n"})
    world.respec("task: binary", "task: binary\nrequires: [pnclock~=1.0]")
    path = world.home / "models" / "sales" / "features.py"
    text = path.read_text().replace("import ibis\n", "import ibis, pnclock\n")
    path.write_text(text.replace("mutate(", "mutate(pages=_.pages * pnclock.FACTOR, ", 1))
    return world


def test_ledger_registry_and_bundle_name_the_environment_and_prune_keeps_its_lock(required):
    judged, _ = retrain(required, 6, "first")
    context = required.context()
    ports, record = context.ports, context.environment
    champion = ports.ledger.champion("sales")
    assert read_manifest(ports.store, champion.bundle).environment == record
    (verdict,) = ports.ledger.entries("sales", "verdict")
    assert verdict.read(GateVerdict).environment == record.sha256
    (crown,) = ports.ledger.entries("sales", "champion")
    assert crown.read(Crown).environment == record.sha256
    (version,) = ports.registry.versions("sales")
    assert version.tags["environment_sha256"] == record.sha256
    assert version.tags["requirements"] == "pnclock~=1.0"
    entries = {item.name for item in ports.store.contents("entries")}
    assert record.lock.uri in needed_objects(required.settings, ports, entries)
    assert judged.verdict == "promote"
