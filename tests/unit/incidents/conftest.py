"""A ledger whose clock tests move."""

from __future__ import annotations

import pytest

from pipelines.ledger import MemoryLedger
from tests.unit.steps.verdicts import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    return MemoryLedger(clock)
