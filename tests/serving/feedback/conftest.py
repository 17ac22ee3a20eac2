"""A server of three models, one for each task, that takes labels."""

from __future__ import annotations

import pytest

from tests.serving.bundles import put_release


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["multiclass"], model="delays")
    put_release(store, 1, bundles["regression"], model="minutes")
    return serve()
