"""A server of two models that logs what it answers."""

from __future__ import annotations

import pytest

from tests.serving.bundles import put_release


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["multiclass"], model="delays")
    return serve()
