"""The app over records in memory, and a user who may read three models."""

from __future__ import annotations

import pytest

from tests.dags.pages.visits import World
from tests.dags.specs import write_models


@pytest.fixture
def world(tmp_path):
    return World(write_models(tmp_path, "sales", "cabs", drift="daily"))


@pytest.fixture
def known(world):
    world.log_in("sales", "cabs", "gone")
    return world
