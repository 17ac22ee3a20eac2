"""A watched model, trained once, and a copy of it for every look; one thread for what compiles."""

from __future__ import annotations

import pytest

from pipelines.training.threads import limit_threads
from tests.served import trained
from tests.unit.steps.looks import DAY
from tests.worlds import make_world


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    return trained(make_world(tmp_path_factory.mktemp("drift") / "home"), DAY)


@pytest.fixture
def watched(trained_once, tmp_path):
    return trained_once.copied(tmp_path / "home")


@pytest.fixture
def one_thread():
    """As the steps hold it: OpenMP's threads spin where cores are shared."""
    with limit_threads(1):
        yield
