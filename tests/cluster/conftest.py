"""Tests on a real cluster: skipped where none answers, unless PERENNIAL_REQUIRE_CLUSTER is 1."""

from __future__ import annotations

import pytest

from tests.buckets import ENVIRON, moto
from tests.cluster.deployments import cluster_yard
from tests.cluster.reaching import answers, host_address


@pytest.fixture(scope="session")
def cluster_answers():
    if not answers():
        if ENVIRON.get("PERENNIAL_REQUIRE_CLUSTER") == "1":
            pytest.fail("PERENNIAL_REQUIRE_CLUSTER is 1, and no cluster answers")
        pytest.skip("no Kubernetes cluster answers (KUBECONFIG)")


@pytest.fixture(scope="session")
def endpoint(cluster_answers):
    with moto(host_address()) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def yard(endpoint, tmp_path_factory):
    with cluster_yard(tmp_path_factory.mktemp("yard"), endpoint, "perennial-test") as yard:
        yield yard


@pytest.fixture
def model(yard):
    """A model whose version 1 serves as release 1, by one pod."""
    found = yard.model()
    try:
        found.deploy("1")
        yield found
    finally:
        found.remove()
