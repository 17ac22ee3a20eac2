"""Two hosts with a store between them: both serve all models, and each forgets for itself."""

from __future__ import annotations

import httpx
import pytest

from pipelines.deployment.serving_hosts import serving_hosts
from pipelines.settings import Settings
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until

pytestmark = pytest.mark.slow


def test_both_follow_each_release_and_a_model_that_one_dropped_the_other_still_has(
    store, bundles, launch, tmp_path
):
    put_release(store, 1, bundles["1"])
    forgetful = launch(PERENNIAL_STATE=str(tmp_path / "one"), PERENNIAL_SERVING_IDLE_SECONDS="0.2")
    other = launch(PERENNIAL_STATE=str(tmp_path / "two"))
    hosts = serving_hosts(Settings(serving_url=f"{forgetful.url}, {other.url}"))
    wait_until(lambda: hosts.serves("flights").release == 1)
    put_release(store, 2, bundles["2"], version="2")
    wait_until(lambda: hosts.serves("flights").release == 2)

    def answer(host):
        body = httpx.post(f"{host.url}/models/flights/predict", json={"row": ROW}).json()
        return body["version"], body["predictions"]

    def is_in_memory(host):
        return httpx.get(f"{host.url}/models/flights").json()["in_memory"]

    wait_until(lambda: not is_in_memory(forgetful))
    assert is_in_memory(other)
    assert answer(forgetful) == answer(other)
    assert answer(other)[0] == "2"
