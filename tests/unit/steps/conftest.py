import pytest

from pipelines.ledger import MemoryLedger
from pipelines.registry.memory import MemoryRegistry
from pipelines.steps.context import Ports
from pipelines.store import MemoryStore
from pipelines.versions.memory import MemoryVersions


@pytest.fixture
def ports() -> Ports:
    """The outside, in memory."""
    return Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
