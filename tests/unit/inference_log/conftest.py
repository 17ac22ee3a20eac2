"""Stores of every kind, and an index of labels over one in a folder."""

from __future__ import annotations

import pytest

from pipelines.inference_log.label_index import Index
from pipelines.settings import Settings
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from tests.unit.inference_log.label_log import Labels


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path / "store") if request.param == "local" else MemoryStore()


@pytest.fixture
def local_store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path, lock_timeout_seconds=20)


@pytest.fixture
def index(settings, local_store):
    return Index(settings, local_store)


@pytest.fixture
def labels(local_store):
    return Labels(local_store)
