"""What keeps pods from coming up ends in an error in the cluster's words; what served serves on."""

from __future__ import annotations

import contextlib

import pytest

from pipelines.bundle.load import read_manifest
from pipelines.bundle.manifest import Golden, Release
from pipelines.deployment.kubernetes_target import KubernetesTarget
from pipelines.errors import GiveUp, Refused, Unreachable
from tests.cluster.reaching import until
from tests.serving.bundles import put_bundle

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SECONDS = 15


@contextlib.contextmanager
def goes_on(model):
    """The old release answers meanwhile and afterwards, and its template is back."""
    before = model.deployment()["spec"]["template"]
    with model.asked() as asked:
        yield
    assert asked.failures == []
    assert set(asked.answers) == {1}
    assert model.deployment()["spec"]["template"] == before
    assert model.says() == (1, "1")
    assert model.champion == "1"
    until(lambda: model.pods() == {1: 1}, 60)


def test_an_image_that_is_not_there(model):
    absent = model.set(
        serving_image="perennial/serving:not-there", kubernetes_deploy_seconds=SECONDS
    )
    with goes_on(model), pytest.raises(GiveUp, match="cannot have its image") as caught:
        absent.deploy("2")
    assert "perennial/serving:not-there" in caught.value.message
    assert "given up after 15 s" in caught.value.message
    assert "PERENNIAL_SERVING_IMAGE" in caught.value.remedy


def test_a_quota_that_is_used_up(model):
    model.yard.make(
        "resourcequotas",
        {"kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}},
    )
    path = f"/api/v1/namespaces/{model.yard.namespace}/resourcequotas/few"
    ask = model.yard.cluster.ask
    try:
        until(lambda: ask("GET", path).get("status", {}).get("used", {}).get("pods") == "1", 90)
        with goes_on(model), pytest.raises(Unreachable, match="exceeded quota: few") as caught:
            model.set(kubernetes_deploy_seconds=SECONDS).deploy("2")
    finally:
        ask("DELETE", path)
    assert "raise the quota" in caught.value.remedy
    assert model.deploy("2").release == 3, "once there is room, the next run deploys it"


def test_a_pod_that_no_node_takes(model):
    large = model.asking("900g").set(kubernetes_deploy_seconds=SECONDS)
    with goes_on(model), pytest.raises(Unreachable, match="no node takes the pod") as caught:
        large.deploy("2")
    assert "Insufficient memory" in caught.value.message
    assert "add nodes" in caught.value.remedy


def test_a_node_that_is_gone(model):
    ask = model.yard.cluster.ask
    taint = {"key": "ghost", "value": "yes", "effect": "NoSchedule"}
    ask(
        "POST",
        "/api/v1/nodes",
        body={
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": model.yard.namespace, "labels": {"ghost": model.yard.namespace}},
            "spec": {"taints": [taint]},
            "status": {
                "capacity": {"cpu": "1", "memory": "1Gi", "pods": "5"},
                "allocatable": {"cpu": "1", "memory": "1Gi", "pods": "5"},
            },
        },
    )
    ghostly = model.set(
        kubernetes_serving_nodes=f"ghost={model.yard.namespace}",
        kubernetes_serving_tolerations="ghost=yes:NoSchedule,"
        "node.kubernetes.io/not-ready:NoSchedule,node.kubernetes.io/unreachable:NoSchedule",
        kubernetes_deploy_seconds=30,
    )
    try:
        with goes_on(model), pytest.raises(Unreachable) as caught:
            ghostly.deploy("2")
    finally:
        ask("DELETE", f"/api/v1/nodes/{model.yard.namespace}")
    assert f"the node {model.yard.namespace}" in caught.value.message
    assert "kubectl describe node" in caught.value.remedy


def test_pods_that_run_out_of_memory(model):
    with goes_on(model), pytest.raises(Refused, match="ran out of memory") as caught:
        model.limited("20m").deploy("2")
    assert "resources.serving.memory" in caught.value.remedy


def test_a_bundle_that_does_not_answer_as_packaged(model):
    store = model.context.ports.store
    rows = [{"distance": 500.0, "seats": 150, "weekend": False, "carrier": "UA"}]
    wrong = put_bundle(
        store, model=model.name, version="9", golden=Golden(rows=rows, answers=[[0.123]])
    )
    release = Release(model=model.name, number=2, version="9", bundle=wrong, reason="a test")
    with goes_on(model), pytest.raises(Refused, match="refuses the release") as caught:
        KubernetesTarget().take(model.context, release)
    assert "expected [0.123]" in caught.value.message


def test_a_bundle_of_which_an_object_is_gone(model):
    bundle = model.bundles["2"]
    release = Release(model=model.name, number=2, version="2", bundle=bundle, reason="a test")
    model.yard.lose(read_manifest(model.context.ports.store, bundle).native.uri)
    with goes_on(model), pytest.raises(GiveUp):
        KubernetesTarget().take(model.context, release)


def test_a_secret_that_is_not_there(model):
    absent = model.set(kubernetes_serving_secret="nothing", kubernetes_deploy_seconds=SECONDS)
    with goes_on(model), pytest.raises(GiveUp, match='secret "nothing" not found'):
        absent.deploy("2")


def test_a_first_release_that_fails_leaves_nothing(yard):
    found = yard.model(
        serving_image="perennial/serving:not-there", kubernetes_deploy_seconds=SECONDS
    )
    with pytest.raises(GiveUp, match="cannot have its image"):
        found.deploy("1")
    assert found.objects() == set()
