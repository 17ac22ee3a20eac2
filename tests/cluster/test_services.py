"""Releases as pods whose store is in a bucket of Google or in a container of Azure."""

from __future__ import annotations

import httpx
import pytest

from tests.azurite import azurite
from tests.cluster.deployments import cluster_yard
from tests.cluster.reaching import host_address, until
from tests.google_storage import google_storage

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
ROW = {"distance": 500.0, "seats": 150, "weekend": False, "carrier": "UA"}


@pytest.fixture(scope="module", params=["azure", "google"])
def yard(request, cluster_answers, tmp_path_factory):
    """A namespace whose Secret holds the key to the service, under its variable's name."""
    home = tmp_path_factory.mktemp("yard")
    if request.param == "azure":
        with cluster_yard(home, azurite(), "perennial-test") as yard:
            yield yard
        return
    with (
        google_storage(host_address()) as storage,
        cluster_yard(home, storage, "perennial-test") as yard,
    ):
        yield yard


def test_a_release_is_brought_from_it_served_and_logged_into_it(yard):
    model = yard.model()
    try:
        model.deploy("1")
        assert model.says() == (1, "1")
        url = f"{model.url}/models/{model.name}/predict"
        answer = httpx.post(url, json={"rows": [ROW]}, timeout=30)
        assert answer.status_code == 200, answer.text
        until(lambda: model.logged()[1] == 1, 120)
        model.deploy("2")
        assert model.says() == (2, "2")
    finally:
        model.remove()
