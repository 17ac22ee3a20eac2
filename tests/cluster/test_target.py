"""A release is the pods of a Deployment. Whatever replaces what, somebody always answers."""

from __future__ import annotations

import threading

import pytest

from pipelines.deployment.kubernetes.api import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    LEASE,
    POD,
    SERVICE,
)
from pipelines.deployment.kubernetes.pod import USER
from pipelines.deployment.kubernetes_target import KubernetesTarget
from pipelines.deployment.orders import carry_out, reconcile
from pipelines.errors import Conflict, PerennialError
from tests.cluster.reaching import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ALL = {"deployments", "services", "poddisruptionbudgets", "horizontalpodautoscalers"}


def test_a_release_replaces_another_and_no_request_fails(model):
    with model.asked(pause=0.01) as asked:
        deployed = model.deploy("2")
    assert (deployed.release, deployed.version) == (2, "2")
    assert asked.failures == []
    assert set(asked.answers) == {1, 2}
    assert model.says() == (2, "2")
    assert model.pods() == {2: 1}
    assert model.objects() == ALL
    # What was answered is logged once, by its release: the pod that ended has sent its part, and
    # no golden request is among it
    until(lambda: model.logged() == asked.answers, 60)
    with model.asked() as asked:
        assert model.deploy("1").release == 3
    assert asked.failures == []
    assert model.says() == (3, "1")


def test_two_pods_are_replaced_one_by_one(yard):
    found = yard.model(replicas=2)
    try:
        found.deploy("1")
        assert found.pods() == {1: 2}
        with found.asked(pause=0.01) as asked:
            found.deploy("2")
        assert asked.failures == []
        assert found.pods() == {2: 2}
        budget, scaler = found.object(DISRUPTION_BUDGET), found.object(AUTOSCALER)
        assert budget["spec"]["maxUnavailable"] == 1
        assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 4)
    finally:
        found.remove()
    assert found.objects() == set()


def test_what_the_pods_may_do(model):
    pod = model.yard.cluster.find(POD, labels="perennial/release=1")[0]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert not [v for v in pod["volumes"] if "projected" in v or "hostPath" in v]
    for container in (*pod["initContainers"], *pod["containers"]):
        may = container["securityContext"]
        assert may["readOnlyRootFilesystem"]
        assert may["runAsNonRoot"]
        assert may["runAsUser"] == USER
        assert may["allowPrivilegeEscalation"] is False
        assert may["capabilities"] == {"drop": ["ALL"]}
        keys = [v for v in container["env"] if v["name"].startswith("AWS_")]
        assert keys
        assert not [v for v in keys if "value" in v]  # by reference alone: decision 119


def test_of_two_deployments_at_once_one_wins(model):
    orders = [model.order("2", "one"), model.order("2", "other")]
    outcomes = []

    def deploy(order):
        try:
            outcomes.append(carry_out(model.context, order, KubernetesTarget()).release)
        except PerennialError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=deploy, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [2, Conflict]
    assert model.pods() == {2: 1}
    assert model.object(LEASE)["spec"].get("holderIdentity", "") == ""


def test_reconcile_puts_right_what_somebody_changed(model):
    cluster = model.yard.cluster
    assert reconcile(model.context, KubernetesTarget()) == []
    name = model.deployment()["metadata"]["name"]
    cluster.remove(SERVICE, name)
    cluster.change(
        DISRUPTION_BUDGET, name, lambda b: {**b, "spec": {**b["spec"], "maxUnavailable": 0}}
    )
    assert reconcile(model.context, KubernetesTarget()) == [
        f"the service {name} was gone; it is made",
        f"the disruption budget {name} was not as the settings say; it is",
    ]
    cluster.remove(DEPLOYMENT, name)
    (words,) = reconcile(model.context, KubernetesTarget())
    assert words.startswith(f"the Deployment {name} had the pods of nothing")
    assert model.says() == (1, "1")


def test_what_a_killed_deployment_left_is_taken_back(model):
    class Killed(KubernetesTarget):
        def take(self, context, release):
            self._undo = lambda *_: None
            return super().take(
                context.__class__(**{**context.__dict__, "settings": broken}), release
            )

    broken = model.context.settings.replace(
        serving_image="perennial/serving:not-there", kubernetes_deploy_seconds=10
    )
    with pytest.raises(PerennialError), model.asked() as asked:
        model.deploy("2", target=Killed())
    assert asked.failures == []
    assert model.template_release() == 1, (
        "the promotion that was given up brought the champion back"
    )
    until(lambda: model.pods() == {1: 1}, 60)


def test_a_service_of_somebody_else_is_left_alone(yard):
    found = yard.model()
    name = f"perennial-{found.name.replace('_', '-')}"
    yard.make(
        "services",
        {"kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}},
    )
    with pytest.raises(Conflict, match=f"The Service {name} in the namespace .* is not of"):
        found.deploy("1")
    assert found.objects() == {"services"}
    assert found.object(SERVICE)["spec"]["ports"][0]["port"] == 80
