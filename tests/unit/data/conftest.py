"""The loop of the small world, whose suite says nothing of types."""

from __future__ import annotations

import pytest

from tests.unit.data.loops import Run


@pytest.fixture
def loop(world, ports):
    (world.home / "expectations" / "sales.json").write_text(
        '{"name": "sales", "expectations": []}'
    )  # types are no business of suites
    return Run(world, ports)
