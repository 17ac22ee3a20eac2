"""What `doctor` says of a cluster, and what `prune` takes from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from pipelines.bundle.manifest import Release
from pipelines.deployment.kubernetes import names, objects
from pipelines.deployment.kubernetes.api import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, SERVICE
from pipelines.ledger import Champion, Crown, MemoryLedger
from pipelines.ops.doctor.kubernetes import RIGHTS, check_cluster, check_pods, check_strangers
from pipelines.ops.prune.deployments import unused_deployments
from pipelines.refs import Ref
from pipelines.settings import Settings
from tests.conftest import ROOT
from tests.unit.deployment.kubernetes.clusters import MemoryCluster

SETTINGS = Settings(store="s3://bucket/state")
BUNDLE = Ref(uri="objects/ab/ab.json", sha256="ab" * 32)
CHAMPION = Champion(version="1", bundle=BUNDLE, release=3, since=datetime(2026, 1, 1, tzinfo=UTC))
LATER = datetime(2026, 2, 1, tzinfo=UTC).timestamp()


class Cluster(MemoryCluster):
    """One that says what we may do there."""

    def __init__(self, denied=()):
        super().__init__()
        self.denied = set(denied)

    def ask(self, method, path, *, body=None, **_):
        if path == "/version":
            return {"gitVersion": "v1.35.0"}
        assert method == "POST"
        asked = body["spec"]["resourceAttributes"]
        kind = "/".join(p for p in (asked["resource"], asked.get("subresource")) if p)
        return {"status": {"allowed": (kind, asked["verb"]) not in self.denied}}


def with_release(number=3, model="sales"):
    cluster = Cluster()
    release = Release(model=model, number=number, version="1", bundle=BUNDLE, reason="a test")
    about = objects.metadata(SETTINGS, release)
    template = {"metadata": {k: about[k] for k in ("labels", "annotations")}, "spec": {}}
    cluster.create(DEPLOYMENT, {"metadata": about, "spec": {"replicas": 2, "template": template}})
    for kind in (SERVICE, DISRUPTION_BUDGET, AUTOSCALER):
        cluster.create(kind, {"metadata": objects.metadata(SETTINGS, release), "spec": {}})
    return cluster


def pods(cluster):
    return [(f.state, f.said) for f in check_pods(SETTINGS, cluster, "sales", CHAMPION)]


def test_a_cluster_in_which_all_is_well():
    assert {f.state for f in check_cluster(Cluster())} == {"ok"}
    assert pods(with_release()) == [("ok", "2 of 2 pods answer, release 3")]


def test_a_right_that_is_missing_is_named():
    findings = list(check_cluster(Cluster([("deployments", "update"), ("services/proxy", "get")])))
    (missing,) = [f for f in findings if f.state == "problem"]
    assert missing.said.endswith("we may not: update deployments, get services/proxy.")
    assert ("apps", "deployments", "update") in RIGHTS


def test_the_documented_rights_are_those_that_are_asked_for():
    """And those to list and to remove, which a deployment needs where something is left over."""
    section = (ROOT / "docs" / "kubernetes.md").read_text().split("### Rights\n")[1]
    rules = yaml.safe_load(section.split("```yaml\n")[1].split("```")[0])
    documented = {
        (group, kind, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for kind in rule["resources"]
        for verb in rule["verbs"]
    }
    assert set(RIGHTS) <= documented
    assert {verb for *_, verb in documented - set(RIGHTS)} == {"list", "delete"}


@pytest.mark.parametrize(
    ("spoil", "state", "words"),
    [
        (lambda c: c.remove(DEPLOYMENT, "perennial-sales"), "problem", "There is no Deployment"),
        (lambda c: c.remove(SERVICE, "perennial-sales"), "problem", "There is none called"),
        (
            lambda c: c.objects["deployments", "perennial-sales"]["status"].update(
                availableReplicas=1
            ),
            "warning",
            "1 of 2 pods answer",
        ),
        (
            lambda c: c.objects["deployments", "perennial-sales"]["metadata"]["labels"].clear(),
            "problem",
            "is not of sales of this installation",
        ),
    ],
)
def test_what_is_amiss_is_said(spoil, state, words):
    cluster = with_release()
    spoil(cluster)
    assert [found for found in pods(cluster) if found[0] == state and words in found[1]]


def test_pods_of_another_release_than_the_champion_s():
    assert pods(with_release(number=2)) == [
        ("problem", "They are of release 2, the champion's is 3.")
    ]


def test_a_deployment_of_a_model_without_a_folder_is_told_and_kept():
    cluster = with_release()
    assert list(check_strangers(SETTINGS, cluster, {"sales"})) == []
    (finding,) = check_strangers(SETTINGS, cluster, set())
    assert finding.state == "warning"
    assert "-l perennial/model=sales" in finding.remedy
    assert list(check_strangers(Settings(store="s3://other/state"), cluster, set())) == []


def test_prune_takes_what_never_had_a_champion_and_nothing_else():
    cluster, ledger = with_release(), MemoryLedger()
    assert list(unused_deployments(SETTINGS, cluster, ledger, 0.0)) == [], "it is too young"
    ledger.crown(
        "sales",
        expected=None,
        champion=Crown(version="1", bundle=BUNDLE, release=3, previous=None),
        key="run",
    )
    assert list(unused_deployments(SETTINGS, cluster, ledger, LATER)) == []
    (leftover,) = unused_deployments(SETTINGS, cluster, MemoryLedger(), LATER)
    assert (leftover.kind, leftover.name) == ("Deployment", names.object_name("sales"))
    assert leftover.remove()
    assert not [name for _, name in cluster.objects if name == "perennial-sales"]
