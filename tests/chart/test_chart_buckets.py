"""The chart with a bucket of any service: each part gets the key to it, and nothing else of it."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest
import yaml
from perennial_airflow.places.pod_setup import pod_environment, pod_volumes

from pipelines.container_paths import CA
from pipelines.settings import KEY_VARIABLES, load_settings, service_of
from tests.chart.rendering import (
    AZURE,
    BUCKET,
    CHART,
    GOOGLE,
    HELM,
    NAMED,
    helm,
    render,
    write_values,
)

pytestmark = pytest.mark.skipif(HELM is None, reason="Helm is not here")

STATES = {"s3": BUCKET, "gs": GOOGLE, "az": AZURE}
ALL_KEYS = {name for names in KEY_VARIABLES.values() for name in names}
OF_AIRFLOW = {"airflow", "scheduler", "dag-processor", "triggerer", "init"}


def containers(made):
    """The first container of each part, by its name."""
    pods = [
        body["spec"]["template"]["spec"]
        for body in made
        if body["kind"] in {"Deployment", "StatefulSet", "Job"}
    ]
    return {pod["containers"][0]["name"]: pod["containers"][0] for pod in pods}


def references(container):
    """What a container has of Secrets: the variable, by its Secret and entry."""
    assert [each for each in container.get("envFrom", []) if "secretRef" in each] == []
    found = {}
    for variable in container["env"]:
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        if reference is not None:
            found[variable["name"]] = (reference["name"], reference["key"])
    return found


def settings_of(made):
    (config,) = [b["data"] for b in made if b["metadata"]["name"] == "perennial-settings"]
    return config


@pytest.mark.parametrize("service", list(STATES))
def test_each_part_gets_the_key_to_its_service_by_reference(tmp_path, service):
    state = STATES[service]
    made = render(tmp_path, {**NAMED, **state, "target": "process"})
    own = set(KEY_VARIABLES[service_of(state["state"]["bucket"]["url"])])
    for name, container in containers(made).items():
        keys = {n: at for n, at in references(container).items() if n in ALL_KEYS}
        has_it = name in OF_AIRFLOW | {"serving"} or (name == "mlflow" and service == "s3")
        assert keys == ({n: ("bucket", n) for n in own} if has_it else {}), name
    assert "hunter2" not in str(made)


@pytest.mark.parametrize("service", list(STATES))
def test_without_a_secret_the_identity_of_the_pods_counts(tmp_path, service):
    bucket = {**STATES[service]["state"]["bucket"], "secret": ""}
    made = render(tmp_path, {**NAMED, "state": {"bucket": bucket}})
    for container in containers(made).values():
        assert not ALL_KEYS & set(references(container))
    assert "PERENNIAL_KUBERNETES_SERVING_SECRET" not in settings_of(made)


def as_worker(made, tmp_path, state):
    """The environment of the scheduler, which starts the pods of steps, as the cluster makes it."""
    scheduler = containers(made)["scheduler"]
    key = {n: "hunter2" for n in references(scheduler) if n in ALL_KEYS - {"AWS_SESSION_TOKEN"}}
    return {
        "PERENNIAL_HOME": str(tmp_path),
        **settings_of(made),
        **key,
        "PERENNIAL_LEDGER_URL": "postgresql://u:hunter2@db/ledger",
    }


@pytest.mark.parametrize("service", list(STATES))
def test_a_step_s_pod_is_told_of_the_same_bucket_and_key(tmp_path, service):
    """What the product makes of the chart's settings: the pod of a step."""
    state = STATES[service]
    made = render(tmp_path, {**NAMED, **state})
    environ = as_worker(made, tmp_path, state)
    settings = load_settings(environ)
    found = pod_environment(environ, settings, "train")
    told = {each.name: each.value for each in found if each.value_from is None}
    secret = {
        each.name: each.value_from.secret_key_ref.name
        for each in found
        if each.value_from is not None and each.name in ALL_KEYS
    }
    assert "hunter2" not in str(found)
    assert told["PERENNIAL_STORE"] == state["state"]["bucket"]["url"]
    assert told.get("PERENNIAL_STORE_ACCOUNT") == state["state"]["bucket"].get("account")
    assert set(secret) == {n for n in environ if n in ALL_KEYS}
    assert set(secret.values()) == {"secrets-steps"}
    volumes, mounts = pod_volumes(settings)
    ca = state["state"]["bucket"].get("ca")
    assert told.get("PERENNIAL_STORE_CA") == (f"{CA}/ca.pem" if ca else None)
    assert [v.config_map.name for v in volumes if v.name == "ca"] == ([ca] if ca else [])
    assert [m.mount_path for m in mounts if m.name == "ca"] == ([CA] if ca else [])


def test_mlflow_keeps_artifacts_in_a_bucket_of_s3_and_else_in_a_volume_that_stays(tmp_path):
    def look(values):
        made = render(tmp_path, {**NAMED, **values})
        told = {e["name"]: e.get("value") for e in containers(made)["mlflow"]["env"]}
        claims = [b for b in made if b["kind"] == "PersistentVolumeClaim"]
        (pod,) = [
            b["spec"]["template"]["spec"]
            for b in made
            if b["kind"] == "Deployment" and b["metadata"]["name"] == "perennial-mlflow"
        ]
        return told["PERENNIAL_ARTIFACTS"], claims, {v["name"]: v for v in pod["volumes"]}["state"]

    assert look(BUCKET)[:2] == ("s3://models/state/mlflow", [])
    place, (claim,), volume = look(GOOGLE)
    assert place == "/state/mlflow/artifacts"
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    place, claims, volume = look({**AZURE, "mlflow": {"storage": ""}})
    assert (claims, volume) == ([], {"name": "state", "emptyDir": {}})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": {"bucket": {"url": "az://models"}}}, "none is named"),
        ({"state": {"bucket": {"url": "gs://models", "account": "ours"}}}, "accounts are of Azure"),
        ({"state": {"bucket": {"url": "s3://models", "account": "ours"}}}, "leave it out"),
        ({"state": {"claim": "state", "bucket": {"secret": "bucket"}}}, "the state is in none"),
        ({"state": {"bucket": {"url": "s3://my_models"}}}, "url"),
        ({"state": {"bucket": {"url": "gs://models?x"}}}, "url"),
        ({"state": {"bucket": {"url": "hdfs://models"}}}, "url"),
        ({"state": {"bucket": {"url": "az://models", "account": "Not One"}}}, "account"),
        ({**GOOGLE, "settings": {"PERENNIAL_STORE_ENCRYPTION": "AES256"}}, "it is of S3"),
        ({**AZURE, "settings": {"PERENNIAL_STORE_KMS_KEY": "k"}}, "it is of S3"),
        ({**GOOGLE, "settings": {"PERENNIAL_STORE_CREDENTIALS": "/k"}}, "Put it into a Secret"),
        ({**BUCKET, "settings": {"PERENNIAL_BROKER_URL": "amqp://x"}}, "Put it into a Secret"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_remedy(tmp_path, values, words):
    file = write_values(tmp_path, {**NAMED, **values})
    done = helm("template", "perennial", str(CHART), "-f", file)
    assert done.returncode != 0
    assert words in done.stderr


def test_the_chart_knows_the_keys_that_the_client_reads():
    """One table of the settings, and the chart's."""
    text = (CHART / "templates" / "_helpers.tpl").read_text()
    rows = text.split('define "perennial.keyRows" -}}')[1].split("{{-")[0]
    known = {
        service: {name for row in found for name in row}
        for service, found in yaml.safe_load(rows).items()
    }
    session = {"AWS_SESSION_TOKEN"}
    assert {service_of(f"{s}://x"): names for s, names in known.items()} == {
        service: set(names) - session for service, names in KEY_VARIABLES.items()
    }


def test_the_secrets_of_steps_hold_whatever_key_the_environment_has(tmp_path):
    """`make-secret.sh` with a kubectl that writes down what it is given."""
    kept, tools = tmp_path / "kept", tmp_path / "tools"
    for folder in (kept, tools):
        folder.mkdir()
    kubectl = tools / "kubectl"
    kubectl.write_text(
        "#!/bin/bash\n"
        'case "$*" in *" get "*) exit 1 ;; esac\n'
        'source="${*: -1}"\n'
        f'cp -r "${{source#--from-file=}}" "{kept}/"\n'
    )
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    keys = {"GOOGLE_SERVICE_ACCOUNT_KEY": '{"a": 1}\n', "AZURE_CLIENT_SECRET": "x"}
    environ = {"PATH": f"{tools}:{os.environ['PATH']}", **keys}
    subprocess.run(
        ["bash", str(CHART / "make-secret.sh"), "models", "perennial", "perennial"],
        env=environ,
        check=True,
        capture_output=True,
    )
    files = {file.name: file.read_text() for file in (kept / "steps").iterdir()}
    assert files.items() >= keys.items()
    assert not {"AWS_ACCESS_KEY_ID", "AZURE_STORAGE_ACCOUNT_KEY"} & set(files)
