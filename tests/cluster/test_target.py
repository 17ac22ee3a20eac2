"""A release is the pods of a Deployment. Whatever replaces what, somebody always answers."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_a_release_replaces_another_and_no_request_fails(model):
    with model.asked(pause=0.01) as asked:
        deployed = model.deploy("2")
    assert (deployed.release, deployed.version) == (2, "2")
    assert asked.failures == []
    assert set(asked.answers) == {1, 2}
    assert model.says() == (2, "2")
    assert model.pods() == {2: 1}
    assert model.objects() == {
        "deployments",
        "services",
        "poddisruptionbudgets",
        "horizontalpodautoscalers",
    }
