import pytest

from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.store.memory import MemoryStore
from pipelines.versions.memory import MemoryVersions


@pytest.fixture
def ports() -> Ports:
    """The outside, in memory."""
    return Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
