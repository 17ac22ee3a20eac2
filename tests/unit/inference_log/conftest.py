import pytest

from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path / "store") if request.param == "local" else MemoryStore()
