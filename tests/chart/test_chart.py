"""The Helm chart: what it makes is valid, holds no password, and is refused in words."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pipelines.ops.doctor.kubernetes import RIGHTS
from pipelines.settings import Settings
from tests.chart.rendering import BUCKET, CHART, HELM, NAMED, VALUES, helm, render, write_values
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(HELM is None, reason="Helm is not here")

VERSIONS = ("1.34", "1.35")


@pytest.fixture(params=list(VALUES))
def made(request, tmp_path):
    return render(tmp_path, {**NAMED, **VALUES[request.param]}, "--kube-version=1.35.0")


@pytest.mark.parametrize("name", list(VALUES))
def test_helm_finds_nothing_wrong(name, tmp_path):
    done = helm(
        "lint", "--strict", str(CHART), "-f", write_values(tmp_path, {**NAMED, **VALUES[name]})
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_what_the_schemas_of_kubernetes_ask(made, version):
    assert len(made) > 10
    for body in made:
        kubernetes_validate.validate(body, version, strict=True)


def _task_pods(made):
    """The pod that the executor `kubernetes` makes for each task."""
    return [
        yaml.safe_load(body["data"]["task.yaml"])
        for body in made
        if body["kind"] == "ConfigMap" and "task.yaml" in body["data"]
    ]


def _pods(made):
    return [
        *(
            body["spec"]["template"]["spec"]
            for body in made
            if body["kind"] in {"Deployment", "StatefulSet", "Job"}
        ),
        *(body["spec"] for body in _task_pods(made)),
    ]


def test_no_container_may_more_than_its_work(made):
    for pod in _pods(made):
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            assert container["securityContext"] == {
                "runAsNonRoot": True,
                "runAsUser": 10_001,
                "runAsGroup": 10_001,
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }


def test_a_token_has_who_speaks_to_the_cluster_and_nobody_else(made):
    mounted = {
        pod["containers"][0]["name"] for pod in _pods(made) if pod["automountServiceAccountToken"]
    }
    of_tasks = {"airflow", "base"} if _task_pods(made) else {"worker"}
    assert mounted <= {"scheduler", "triggerer", *of_tasks}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["pods", "pods with a claim"])
def test_the_pod_of_a_task_is_valid_and_knows_the_way_to_no_database_of_airflow(
    tmp_path, name, version
):
    made = render(tmp_path, {**NAMED, **VALUES[name]}, "--kube-version=1.35.0")
    (pod,) = _task_pods(made)
    # What the executor adds
    pod["metadata"]["name"] = "of-a-task"
    pod["spec"]["containers"][0]["args"] = ["python", "-m", "airflow"]
    kubernetes_validate.validate(pod, version, strict=True)
    (container,) = pod["spec"]["containers"]
    *_, program = container["command"]
    assert (ROOT / Path(program).relative_to("/app")).is_file()
    known = {variable["name"] for variable in container["env"]}
    assert "PERENNIAL_LEDGER_URL" in known
    assert not [n for n in known if n.startswith(("AIRFLOW__DATABASE", "AIRFLOW__API", "JWT"))]
    (settings,) = [b["data"] for b in made if b["metadata"]["name"] == "perennial-settings"]
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "perennial_airflow.executors.kubernetes"
    (scheduler,) = [p for p in _pods(made) if p["containers"][0]["name"] == "scheduler"]
    folder = {m["name"]: m["mountPath"] for m in scheduler["containers"][0]["volumeMounts"]}
    file = settings["AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE"]
    assert file == f"{folder['pods']}/task.yaml"


def test_logs_outlive_the_pods_of_tasks(made):
    (settings,) = [b["data"] for b in made if b["metadata"]["name"] == "perennial-settings"]
    is_sent = "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS" in settings
    assert is_sent == ("PERENNIAL_STORE" in settings)
    for pod in _pods(made):
        for container in pod["containers"]:
            for mount in container.get("volumeMounts", []):
                if mount["mountPath"] == "/airflow/logs":
                    assert mount["name"] == ("logs" if is_sent else "state")


def test_there_is_no_password(made):
    assert [body for body in made if body["kind"] == "Secret"] == []
    for pod in _pods(made):
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            for variable in container.get("env", []):
                is_secret = any(
                    word in variable["name"] for word in ("PASSWORD", "FERNET", "SECRET", "JWT")
                )
                assert not is_secret or "secretKeyRef" in variable["valueFrom"], variable["name"]


def test_everything_is_reached_from_inside_alone(made):
    services = [body for body in made if body["kind"] == "Service"]
    assert services
    assert {body["spec"]["type"] for body in services} == {"ClusterIP"}


def test_nothing_leads_in_from_outside_unless_a_host_is_named(tmp_path):
    made = render(tmp_path, {**NAMED, **BUCKET, "gateway": {"enabled": True}})
    assert not [body for body in made if body["kind"] == "Ingress"]
    named = render(tmp_path, {**NAMED, **VALUES["gateway"]})
    (ingress,) = [body for body in named if body["kind"] == "Ingress"]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "ask.example.org"
    assert [path["path"] for path in rule["http"]["paths"]] == ["/models"]
    (gateway,) = [p for p in _pods(named) if p["containers"][0]["name"] == "gateway"]
    told = {each["name"]: each["value"] for each in gateway["containers"][0]["env"]}
    assert {"ask.example.org", "models.example.org", "perennial-gateway.models"} <= set(
        told["HOSTS"].split()
    )


def test_whoever_deploys_has_the_rights_that_doctor_asks_for(tmp_path):
    made = render(tmp_path, {**NAMED, **BUCKET})
    (role,) = [
        body
        for body in made
        if body["kind"] == "Role" and body["metadata"]["name"] == "perennial-deploy"
    ]
    given = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert set(RIGHTS) <= given
    assert not [right for right in given if "*" in right or right[1].startswith("secret")]


def test_the_parts_of_airflow_are_told_what_settings_know(tmp_path):
    made = render(tmp_path, {**NAMED, **BUCKET})
    (config,) = [b for b in made if b["metadata"]["name"] == "perennial-settings"]
    told = config["data"]
    assert told["PERENNIAL_STORE"] == "s3://models/state"
    assert told["PERENNIAL_KUBERNETES_NAMESPACE"] == "models"
    assert told["PERENNIAL_KUBERNETES_SERVING_SECRET"] == "bucket"
    assert told["PERENNIAL_TARGET"] == "kubernetes"
    serving = {n for n in told if n.startswith("PERENNIAL_KUBERNETES_SERVING_")}
    known = {f"PERENNIAL_{field.upper()}" for field in Settings.model_fields}
    assert serving <= known


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"secret": ""}, "no Secret is named"),
        ({"place": "process"}, "has no library that trains"),
        (
            {
                "place": "process",
                "images": {"airflow": "registry.example/perennial/airflow@sha256:0"},
            },
            "docker/steps.txt",
        ),
        ({"stepsSecret": ""}, "no Secret says what they may know"),
        ({"state": {"bucket": {"url": ""}}}, "name a bucket"),
        ({"state": {"claim": "state", **BUCKET["state"]}}, "not both"),
        ({"mlflow": {"enabled": False}}, "no other one is named"),
        ({"signing": {"required": True}}, "no ConfigMap with the trusted keys"),
        ({"target": "process", "gateway": {"enabled": True}}, "ask the Service"),
        ({"gateway": {"ingress": {"host": "x.example"}}}, "not enabled"),
        ({"gateway": {"enabled": True, "hosts": ["a b"]}}, "hosts"),
        ({"target": "moon"}, "target"),
        ({"airflow": {"executor": "sequential"}}, "executor"),
        ({"settings": {"PATH": "/x"}}, "invalid propertyName 'PATH'"),
        ({"unknown": 1}, "unknown"),
        ({"state": {"bucket": {"url": "http://x"}}}, "url"),
    ],
)
def test_what_is_wrong_is_refused_in_words(tmp_path, values, words):
    file = write_values(tmp_path, {**NAMED, **BUCKET, **values})
    done = helm("template", "perennial", str(CHART), "-f", file)
    assert done.returncode != 0
    assert words in done.stderr


def test_an_older_cluster_gets_the_versions_that_it_has(tmp_path):
    values = {**NAMED, **BUCKET, "target": "process"}
    old = render(tmp_path, values, "--kube-version=1.20.2")
    (budget,) = [body for body in old if body["kind"] == "PodDisruptionBudget"]
    assert budget["apiVersion"] in {"policy/v1", "policy/v1beta1"}
