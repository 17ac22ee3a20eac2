"""An index with some packages, a store and settings."""

from __future__ import annotations

import pytest

from pipelines.settings import Settings
from pipelines.store.memory import MemoryStore
from tests.wheels import Index, only_index


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """An index of a module's own, which uv asks."""
    index = Index(tmp_path_factory.mktemp("index") / "simple")
    for _ in only_index(index.url):
        yield index


@pytest.fixture(scope="module")
def store():
    """A store in memory, which remembers what was resolved."""
    return MemoryStore()


@pytest.fixture
def settings(tmp_path):
    """Settings with a state folder of the test's own."""
    return Settings(home=tmp_path, state=tmp_path / "state")
