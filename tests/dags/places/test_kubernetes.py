"""What a step's pod is made of, without a cluster.

Its name, its environment, its state, its limits, its privileges.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.places.kubernetes import KubernetesStepOperator
from perennial_airflow.places.pod_request import request_pod
from perennial_airflow.places.pod_setup import pod_labels, pod_name

from pipelines.errors import GiveUp
from pipelines.steps.catalogue import STEPS
from tests.dags.places.pods import context, known, values
from tests.dags.places.worker_settings import settings
from tests.dags.specs import make_spec, spec_text

ROOT = Path(__file__).resolve().parents[3]
IN_SERVERS = {
    "store": "s3://bucket/models",
    "ledger_url": "postgresql://u:p@db/ledger",
    "mlflow_uri": "http://mlflow:5000",
}
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def task(step: str = "train", limits=None, **parameters) -> KubernetesStepOperator:
    return KubernetesStepOperator(
        task_id=step,
        step=step,
        model="demo",
        limits=limits,
        settings=parameters.pop("settings", known()),
        **parameters,
    )


def pod(found: KubernetesStepOperator, environ=None, run: str = "by hand 1"):
    made = request_pod(
        found, found.limits, context(run, found.step), found._settings, environ or {}
    )
    return made, made.spec.containers[0]


@pytest.mark.parametrize(
    ("model", "run"),
    [
        ("demo", "scheduled__2024-01-01T00:00:00+00:00"),
        ("a" * 48, 'x"; $(id) {{ 7 * 7 }} ../\n'),
        ("a_" * 24, ""),
        ("Überblick_模型", "run"),
        ("___", "run"),
        ("-x-", "\x00"),
    ],
)
@pytest.mark.parametrize("step", ["train", "prepare_replay"])
def test_whatever_a_model_and_a_run_are_called_pod_and_labels_have_names_that_are_valid(
    model, run, step
):
    name = pod_name(known(), model, step, "retrain_demo", run, 3)
    assert NAME.fullmatch(name)
    assert name == pod_name(known(), model, step, "retrain_demo", run, 3)
    assert all(LABEL.fullmatch(value) for value in pod_labels(model, step).values())


def test_what_runs_beside_each_other_has_names_of_its_own():
    told = [
        ("demo", "ingest", "retrain_demo", "run 1", 0),
        ("demo", "ingest", "drift_demo", "run 1", 0),
        ("demo", "ingest", "retrain_demo", "run 2", 0),
        ("demo", "ingest", "retrain_demo", "run 1", 1),
        ("a_b", "ingest", "retrain_a_b", "run 1", 0),
        ("a__b", "ingest", "retrain_a_b", "run 1", 0),
    ]
    names = [pod_name(known(), *each) for each in told]
    names.append(pod_name(known(kubernetes_steps_volume="staging"), *told[0]))
    assert len(set(names)) == len(names)


def test_a_pod_has_no_privilege_no_token_and_one_container():
    made, container = pod(task())
    mine, whole = container.security_context, made.spec
    assert (mine.run_as_non_root, mine.run_as_user, mine.run_as_group) == (True, 10_001, 10_001)
    assert (mine.allow_privilege_escalation, mine.privileged) == (False, False)
    assert (mine.read_only_root_filesystem, mine.capabilities.drop) == (True, ["ALL"])
    assert whole.security_context.seccomp_profile.type == "RuntimeDefault"
    assert whole.security_context.fs_group == 10_001
    assert (whole.automount_service_account_token, whole.enable_service_links) == (False, False)
    assert (whole.restart_policy, whole.host_network, len(whole.containers)) == ("Never", False, 1)
    assert whole.share_process_namespace
    assert made.metadata.namespace == "perennial"
    assert {k: v for k, v in made.metadata.labels.items() if k.startswith("perennial")} == {
        "perennial": "1",
        "perennial.kind": "step",
        "perennial.model": "demo",
        "perennial.step": "train",
    }


def test_the_limits_of_the_spec_are_reserved_and_kept_to():
    resources = pod(task(limits={"memory": "2g", "cpus": 1.5}))[1].resources
    assert resources.limits == resources.requests == {"memory": "2147483648", "cpu": "1500m"}
    assert pod(task())[1].resources.limits == {}


def test_what_the_settings_say_of_nodes_images_and_accounts_stands_in_the_pod():
    made, container = pod(
        task(
            settings=known(
                kubernetes_namespace="ml",
                kubernetes_steps_nodes="pool=ml,zone=a",
                kubernetes_steps_tolerations="ml=only:NoSchedule,spot:NoExecute",
                kubernetes_steps_account="steps",
                kubernetes_steps_pull_policy="Always",
                kubernetes_steps_pull_secret="registry",
                kubernetes_steps_user="1000:2000",
                kubernetes_steps_trust="keys",
                steps_image="registry.example/steps:1",
            ),
            execution_timeout=timedelta(hours=1),
        )
    )
    assert made.spec.node_selector == {"pool": "ml", "zone": "a"}
    assert [(t.key, t.operator, t.value, t.effect) for t in made.spec.tolerations] == [
        ("ml", "Equal", "only", "NoSchedule"),
        ("spot", "Exists", None, "NoExecute"),
    ]
    assert (made.metadata.namespace, made.spec.service_account_name) == ("ml", "steps")
    assert [each.name for each in made.spec.image_pull_secrets] == ["registry"]
    assert (container.image, container.image_pull_policy) == ("registry.example/steps:1", "Always")
    assert container.security_context.run_as_group == made.spec.security_context.fs_group == 2_000
    assert made.spec.active_deadline_seconds == 3_900
    assert [v.config_map.name for v in made.spec.volumes if v.name == "trust"] == ["keys"]
    assert values(container.env)["PERENNIAL_TRUST"] == "/trust"


@pytest.mark.parametrize("step", sorted(STEPS))
def test_only_a_step_that_deploys_sees_a_token_where_an_account_was_named_for_that(step):
    found = task(step, settings=known(kubernetes_deploy_account="deployer", serving_url="http://s"))
    spec = pod(found)[0].spec
    deploys = STEPS[step].deploys
    assert spec.automount_service_account_token is deploys
    assert (spec.service_account_name == "deployer") is deploys


@pytest.mark.parametrize(
    ("volume", "found"),
    [
        ("claim", ("claim", None)),
        ("/srv/state", (None, ("/srv/state", "Directory"))),
    ],
)
def test_the_state_is_a_claim_or_a_folder_of_the_node_that_must_be_there(volume, found):
    made, container = pod(task(settings=known(kubernetes_steps_volume=volume)))
    state, tmp = made.spec.volumes
    claim, folder = state.persistent_volume_claim, state.host_path
    assert found == (
        claim.claim_name if claim else None,
        (folder.path, folder.type) if folder else None,
    )
    assert tmp.empty_dir.size_limit == str(2**30)
    assert [mount.mount_path for mount in container.volume_mounts] == ["/state", "/tmp"]
    assert (made.spec.security_context.fs_group is None) is volume.startswith("/")


def test_without_a_state_all_of_it_must_be_in_a_bucket_and_in_servers():
    found = settings(**IN_SERVERS, kubernetes_steps_secret="s")
    assert pod(task(settings=found))[0].spec.volumes[0].empty_dir is not None
    for name in IN_SERVERS:
        rest = {each: value for each, value in IN_SERVERS.items() if each != name}
        with pytest.raises(GiveUp, match=f"have no state.*PERENNIAL_{name.upper()} "):
            pod(task(settings=settings(**rest, kubernetes_steps_secret="s")))


def test_the_setting_chooses_the_place_and_nothing_else_of_the_dag_changes(monkeypatch):
    one = retrain(make_spec("demo"))
    monkeypatch.setenv("PERENNIAL_PLACE", "kubernetes")
    monkeypatch.setenv("PERENNIAL_LEDGER_URL", "postgresql://u:hunter2@db/ledger")
    from airflow.serialization.serialized_objects import DagSerialization

    from pipelines.spec import parse_spec

    resources = "resources: {memory: 2g, cpus: 1.5, network: warehouse, serving: {memory: 256m}}\n"
    spec = parse_spec((spec_text("demo") + resources).encode(), "models/demo/model.yaml")
    other = retrain(spec)
    assert one.task_ids == other.task_ids
    for found in other.tasks:
        made = found.operator_class if found.is_mapped else type(found)
        assert issubclass(made, KubernetesStepOperator)
        limits = found.partial_kwargs["limits"] if found.is_mapped else found.limits
        assert limits == {"memory": "2g", "cpus": 1.5}
        assert found.execution_timeout == one.get_task(found.task_id).execution_timeout
    assert "hunter2" not in json.dumps(DagSerialization.to_dict(other))


def test_the_clusters_libraries_are_not_loaded_where_dags_are_parsed():
    code = (
        "import sys\nfrom perennial_airflow.dags.retrain import retrain\nfrom tests.dags.specs"
        " import make_spec\nretrain(make_spec())\nprint([n for n in sys.modules if 'kubernetes' in"
        " n.split('.')[0]])"
    )
    environ = {
        **os.environ,
        "PERENNIAL_PLACE": "kubernetes",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
    }
    process = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-1] == "[]"
