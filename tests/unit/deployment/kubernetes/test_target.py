"""The target on a cluster in memory: what it applies, goes back to, repairs and leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.api import DEPLOYMENT, DISRUPTION_BUDGET, LEASE, SERVICE
from pipelines.deployment.kubernetes_target import KubernetesTarget, remove_model
from pipelines.deployment.orders import Order, carry_out, reconcile
from pipelines.deployment.targets import target_for
from pipelines.errors import Busy, Conflict, GiveUp, Refused, Unreachable
from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import Settings
from pipelines.spec.deploy import Deploy
from pipelines.store.memory import MemoryStore
from pipelines.versions.memory import MemoryVersions
from tests.serving.bundles import put_bundle
from tests.unit.deployment.kubernetes.clusters import MemoryCluster, Pods
from tests.worlds import make_world

ALL = ("deployments", "services", "poddisruptionbudgets", "horizontalpodautoscalers")
NAME = "perennial-sales"
OOM = {
    "startTime": "2026-01-01T00:00:00Z",
    "containerStatuses": [
        {
            "name": "server",
            "image": "i",
            "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
        }
    ],
}


class World:
    """A model with two versions, on a cluster in memory."""

    def __init__(self, home):
        store, registry = MemoryStore(), MemoryRegistry()
        ports = Ports(store, MemoryVersions(), registry, MemoryLedger())
        self.bundles = {
            v: put_bundle(store, model="sales", version=v, seed=int(v)) for v in ("1", "2")
        }
        file = home / "model.skops"
        file.write_bytes(b"a model")
        run = registry.parent("sales", "run", {})
        for version in self.bundles:
            registry.register("sales", run, version, file, {})
        context = make_world(home / "home", days=0).context(ports)
        settings = Settings(
            state=home / "state",
            store="s3://bucket/state",
            kubernetes_deploy_seconds=10,
            lock_timeout_seconds=1,
        )
        self.context = replace(context, settings=settings)
        self.cluster = MemoryCluster()
        self.runs = 0

    def deploy(self, version):
        self.runs += 1
        champion = self.context.ports.ledger.champion("sales")
        order = Order(
            run=f"run-{self.runs}",
            version=version,
            bundle=self.bundles[version],
            expected=champion.version if champion else None,
            reason="a test",
        )
        return carry_out(self.context, order, KubernetesTarget(self.cluster))

    def reconcile(self):
        return reconcile(self.context, KubernetesTarget(self.cluster))

    def served(self):
        return names.release_number(self.cluster.get(DEPLOYMENT, NAME)["spec"]["template"])

    def objects(self):
        return {p for p, name in self.cluster.objects if name == NAME} & set(ALL)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def serving(world):
    """Version 1 serves as release 1."""
    world.deploy("1")
    return world


def test_a_release_replaces_another_and_is_rolled_back(serving):
    assert serving.objects() == set(ALL)
    assert serving.deploy("2").release == 2
    assert serving.served() == 2
    assert serving.deploy("1").release == 3
    assert serving.served() == 3
    assert serving.reconcile() == []
    assert serving.cluster.get(LEASE, NAME)["spec"]["holderIdentity"] == ""


def test_what_breaks_leaves_the_old_template(serving):
    before = serving.cluster.get(DEPLOYMENT, NAME)["spec"]
    serving.cluster.pods = Pods(broken={"2": OOM})
    with pytest.raises(Refused, match="ran out of memory"):
        serving.deploy("2")
    assert serving.cluster.get(DEPLOYMENT, NAME)["spec"] == before
    assert serving.context.ports.ledger.champion("sales").version == "1"


def test_a_first_release_that_breaks_leaves_nothing(world):
    world.cluster.pods = Pods(
        messages={"1": "Startup probe failed: refused: golden request 0"},
        broken={"1": {"startTime": "x"}},
    )
    with pytest.raises(Refused, match="golden request 0"):
        world.deploy("1")
    assert world.objects() == set()


def test_after_a_crash_behind_the_switch_the_champion_s_own_pods_come_back(serving):
    before = serving.cluster.get(DEPLOYMENT, NAME)["spec"]["template"]

    class Killed(BaseException):
        pass

    class Dies(MemoryCluster):
        def ask_service(self, *_):
            raise Killed

    whole, serving.cluster.__class__ = serving.cluster.__class__, Dies
    with pytest.raises(Killed):
        serving.deploy("2")
    serving.cluster.__class__ = whole
    assert serving.served() == 2
    # Whatever the settings say by now: what is gone back to are the pods that served
    serving.context = replace(
        serving.context, settings=serving.context.settings.replace(serving_image="other:1")
    )
    (words,) = serving.reconcile()
    assert words == (
        f"the Deployment {NAME} had the pods of release 2; it has those of release 1, the champion"
    )
    assert serving.cluster.get(DEPLOYMENT, NAME)["spec"]["template"] == before


def test_what_was_changed_or_removed_is_put_right(serving):
    serving.cluster.remove(SERVICE, NAME)
    budget = serving.cluster.objects["poddisruptionbudgets", NAME]
    budget["spec"]["maxUnavailable"] = 0
    assert serving.reconcile() == [
        f"the service {NAME} was gone; it is made",
        f"the disruption budget {NAME} was not as the settings say; it is",
    ]
    assert serving.reconcile() == []


def test_how_many_pods_there_are_is_the_autoscaler_s_business(serving):
    serving.cluster.objects["deployments", NAME]["spec"]["replicas"] = 4
    assert serving.reconcile() == []
    serving.deploy("2")
    assert serving.cluster.get(DEPLOYMENT, NAME)["spec"]["replicas"] == 4
    serving.cluster.objects["deployments", NAME]["spec"]["replicas"] = 9
    serving.reconcile()
    assert serving.cluster.get(DEPLOYMENT, NAME)["spec"]["replicas"] == 4


def test_another_s_object_is_left_alone(world):
    world.cluster.create(SERVICE, {"metadata": {"name": NAME}, "spec": {"ports": [80]}})
    with pytest.raises(Conflict, match="is not of sales of this installation"):
        world.deploy("1")
    assert world.cluster.get(SERVICE, NAME)["spec"] == {"ports": [80]}
    with pytest.raises(Conflict):
        remove_model(world.cluster, world.context.settings, "sales")


def test_of_two_who_change_an_object_the_second_begins_anew(serving):
    def rival():
        found = serving.cluster.get(DISRUPTION_BUDGET, NAME)
        found["metadata"]["labels"]["team"] = "a"
        serving.cluster.swap(DISRUPTION_BUDGET, found)

    budget = serving.cluster.objects["poddisruptionbudgets", NAME]
    budget["spec"]["maxUnavailable"] = 0
    # The first swap of a reconciliation is the Lease's, the second the service's
    serving.cluster.rivals = [lambda: None, rival, lambda: None]
    serving.reconcile()
    found = serving.cluster.get(DISRUPTION_BUDGET, NAME)
    assert found["spec"]["maxUnavailable"] == 1
    assert found["metadata"]["labels"]["team"] == "a"


def test_a_lease_that_somebody_holds_is_waited_for(serving):
    held = serving.cluster.objects["leases", NAME]
    held["spec"] |= {"holderIdentity": "somebody", "leaseDurationSeconds": 60}
    with pytest.raises(Busy, match="Another deployment of sales has been at work"):
        serving.deploy("2")
    held = serving.cluster.objects["leases", NAME]
    held["spec"]["leaseDurationSeconds"] = 0.01
    assert serving.deploy("2").release == 2, "nobody renews it: its holder is dead"


def test_a_service_that_answers_by_another_release_is_no_success(serving, monkeypatch):
    monkeypatch.setattr("pipelines.deployment.kubernetes_target.PUBLIC_SECONDS", 0.1)
    serving.cluster.answers[NAME] = (200, '{"release": 1, "version": "1"}')
    with pytest.raises(Unreachable, match="release 1 answers behind the service"):
        serving.deploy("2")
    assert serving.served() == 1


def test_a_spec_names_its_target_before_the_settings(serving):
    spec = serving.context.spec.model_copy(update={"deploy": Deploy(target="kubernetes")})
    assert isinstance(target_for(replace(serving.context, spec=spec)), KubernetesTarget)
    assert not isinstance(target_for(serving.context), KubernetesTarget)


def test_what_pods_would_lack_is_said_and_nothing_is_made(world):
    settings = Settings(state=world.context.settings.state)
    world.context = replace(world.context, settings=settings)
    with pytest.raises(GiveUp, match="cannot reach the store"):
        world.deploy("1")
    assert world.objects() == set()
