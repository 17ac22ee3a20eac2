"""What `perennial doctor` says of the cluster where steps are pods."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path

import pytest
import yaml

from pipelines.errors import GiveUp, Unreachable
from pipelines.ops.doctor.pods import RIGHTS, check_step_pods
from tests.cluster.places.cut_network import cut_network
from tests.cluster.places.pods import await_until, operator, the_name
from tests.conftest import ROOT

pytestmark = pytest.mark.cluster


def findings(settings, now=None):
    return {found.what: found for found in check_step_pods(settings, now)}


@pytest.fixture
def known(settings):
    return settings.replace(place="kubernetes")


def test_all_is_well_where_all_is_there(known, namespace):
    found = findings(known)
    assert {each.state for each in found.values()} == {"ok"}
    assert found["rights of steps"].said == f"all that steps need in {namespace}"
    assert found[f"namespace {namespace}"].said == "is there"
    assert found["cluster of steps"].said.startswith("answers, Kubernetes v")


def test_where_steps_are_no_pods_no_cluster_is_asked(settings, tmp_path):
    assert findings(settings.replace(kubernetes_config=tmp_path / "none")) == {}


def test_what_the_settings_name_and_the_cluster_lacks_is_told(known):
    found = findings(
        known.replace(
            kubernetes_steps_volume="no-claim",
            kubernetes_steps_secret="no-secret",
            kubernetes_steps_trust="no-keys",
            kubernetes_steps_account="nobody",
        )
    )
    wrong = {what for what, each in found.items() if each.state == "problem"}
    assert wrong == {
        "claim no-claim",
        "Secret no-secret",
        "ConfigMap no-keys",
        "service account nobody",
    }
    assert "404" in found["claim no-claim"].said


def test_a_cluster_that_nothing_leads_to_or_that_is_away_is_told(known, tmp_path):
    with pytest.raises(GiveUp, match="PERENNIAL_KUBERNETES_CONFIG"):
        findings(known.replace(kubernetes_config=tmp_path / "none"))
    with cut_network(tmp_path) as (way, config):
        way.cut()
        with pytest.raises(Unreachable, match="kubectl version"):
            findings(known.replace(kubernetes_config=config))


@pytest.fixture
def nobody(core, namespace, tmp_path):
    """The kubeconfig of a service account that has no right yet."""
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "worker"}})
    secret = {
        "metadata": {
            "name": "worker-token",
            "annotations": {"kubernetes.io/service-account.name": "worker"},
        },
        "type": "kubernetes.io/service-account-token",
    }
    core.create_namespaced_secret(namespace, secret)
    token = await_until(
        lambda: (core.read_namespaced_secret("worker-token", namespace).data or {}).get("token")
    )
    body = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    body["users"][0]["user"] = {"token": base64.b64decode(token).decode()}
    config = tmp_path / "worker.conf"
    config.write_text(yaml.safe_dump(body))
    yield config
    core.delete_namespaced_service_account("worker", namespace)


def test_the_role_of_the_documentation_is_what_a_worker_needs_and_no_more(
    known, core, namespace, nobody
):
    """A step is run by a worker that has this role alone."""
    from kubernetes.client import RbacAuthorizationV1Api

    from tests.cluster.places.pods import context

    worker = known.replace(kubernetes_config=nobody)
    lacking = findings(worker)["rights of steps"]
    assert lacking.state == "problem"
    assert "create pods, get pods, list pods, delete pods, get pods/log, list events" in (
        lacking.said
    )
    rbac = RbacAuthorizationV1Api(core.api_client)
    text = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    role, binding = [
        each
        for block in text.split("```yaml\n")[1:]
        for each in yaml.safe_load_all(block.split("```")[0])
        if isinstance(each, dict) and each.get("kind") in {"Role", "RoleBinding"}
    ]
    granted = {
        (resource.partition("/")[0], resource.partition("/")[2], verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == set(RIGHTS)
    for each in (role, binding):
        each["metadata"]["namespace"] = namespace
    binding["subjects"] = [{"kind": "ServiceAccount", "name": "worker", "namespace": namespace}]
    rbac.create_namespaced_role(namespace, role)
    rbac.create_namespaced_role_binding(namespace, binding)
    await_until(lambda: findings(worker)["rights of steps"].state == "ok")
    assert operator(worker, "record({'n': 1})").execute(context()) == {"n": 1}


def test_a_step_that_was_left_behind_is_told(known, core, namespace, step_image):
    from perennial_airflow.places.pod_setup import pod_labels

    name = the_name(known, "left")
    container = {
        "name": "step",
        "image": step_image,
        "imagePullPolicy": "Never",
        "args": ["features", "--model", "demo", "--request", json.dumps({})],
    }
    metadata = {"name": name, "labels": pod_labels("demo", "features")}
    spec = {"containers": [container], "restartPolicy": "Never"}
    core.create_namespaced_pod(namespace, {"metadata": metadata, "spec": spec})
    await_until(lambda: core.read_namespaced_pod(name, namespace).status.phase == "Succeeded")
    assert findings(known)["pods of steps"].state == "ok"
    found = findings(known, time.time() + 3_600)[f"pod {name}"]
    assert (found.state, found.remedy) == (
        "warning",
        f"kubectl -n {namespace} delete pod {name}",
    )
    core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
