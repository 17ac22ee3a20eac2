"""The benchmarks that need a Docker engine and the images run."""

from __future__ import annotations

import pytest

from tests.benchmarks.running import WITH_AN_ENGINE, run

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", WITH_AN_ENGINE)
def test_what_needs_an_engine_runs(name):
    assert "nothing was measured" not in run(name)
