"""As in the steps, one thread for what fits and compiles."""

from __future__ import annotations

import pytest

from pipelines.training.threads import limit_threads


@pytest.fixture(autouse=True)
def _one_thread():
    """As the steps hold it: OpenMP's threads spin where cores are shared."""
    with limit_threads(1):
        yield
