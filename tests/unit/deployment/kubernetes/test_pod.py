"""The objects of a release, against the schemas of Kubernetes and what they must not allow."""

from __future__ import annotations

import kubernetes_validate
import pytest

from pipelines.bundle.load import read_manifest
from pipelines.bundle.manifest import Release
from pipelines.deployment.docker.container import HANDED_ON
from pipelines.deployment.kubernetes import objects
from pipelines.deployment.kubernetes.pod import pod_template
from pipelines.environments.record import EnvironmentRecord
from pipelines.errors import GiveUp
from pipelines.refs import Ref
from pipelines.settings import KEY_VARIABLES, Settings
from pipelines.spec.deploy import Deploy, Replicas, Requests
from pipelines.spec.resources import Limits, Resources
from pipelines.store.memory import MemoryStore
from tests.serving.bundles import put_bundle
from tests.worlds import make_world

VERSIONS = ("1.34", "1.35")
SECRET = "a-secret-value"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = MemoryStore()
    bundle = put_bundle(store, model="sales")
    release = Release(model="sales", number=3, version="1", bundle=bundle, reason="a test")
    spec = make_world(tmp_path_factory.mktemp("home"), days=0).context().spec
    return release, read_manifest(store, bundle), spec


def bucket(**changes):
    return Settings(store="s3://bucket/state", **changes)


def every(made, settings, version="autoscaling/v2"):
    release, manifest, spec = made
    template = pod_template(settings, spec, release, manifest)
    return {
        "apps/v1": objects.deployment(settings, spec, release, template),
        "v1": objects.service(settings, release),
        "policy/v1": objects.disruption_budget(settings, release),
        version: objects.autoscaler(settings, spec, release, version),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_the_objects_are_what_the_schemas_of_kubernetes_ask(made, version):
    settings = bucket(
        kubernetes_serving_secret="key",
        kubernetes_serving_trust="trust",
        kubernetes_serving_ca="ca",
        kubernetes_serving_personal_key="personal",
        kubernetes_serving_account="releases",
        kubernetes_serving_pull_secret="registry",
        kubernetes_serving_nodes="pool=serving,disk=ssd",
        kubernetes_serving_tolerations="serving=only:NoSchedule,gpu:NoExecute",
        require_signature=True,
    )
    for settings_too in (settings, Settings(kubernetes_serving_volume="state-claim")):
        for group, body in every(made, settings_too).items():
            kubernetes_validate.validate({"apiVersion": group, **body}, version, strict=True)


def pod(made, settings):
    return every(made, settings)["apps/v1"]["spec"]["template"]["spec"]


def test_the_pods_may_do_nothing_but_their_work(made):
    found = pod(made, bucket())
    assert found["automountServiceAccountToken"] is False
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*found["containers"], *found["initContainers"]):
        assert container["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10_001,
            "runAsGroup": 10_001,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


def test_no_key_stands_in_a_pod(made, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    settings = bucket(
        signing_key=SECRET,
        ledger_url=f"postgresql://ledger:{SECRET}@host/ledger",
        kubernetes_serving_secret="bucket-key",
    )
    assert SECRET not in repr(every(made, settings))


@pytest.mark.parametrize(
    ("store", "service"), [("s3://models", "AWS"), ("gs://models", "GOOGLE"), ("az://us", "AZURE")]
)
def test_a_pod_gets_the_key_to_its_bucket_by_reference_and_no_more_of_the_secret(
    made, store, service
):
    """The Secret may hold more: that of steps has the way to the ledger."""
    settings = Settings(store=store, store_account="ours", kubernetes_serving_secret="steps")
    for container in (*(found := pod(made, settings))["containers"], *found["initContainers"]):
        assert "envFrom" not in container
        held = {
            v["name"]: v["valueFrom"]["secretKeyRef"]
            for v in container["env"]
            if "secretKeyRef" in v.get("valueFrom", {})
        }
        assert {(name, entry["name"], entry["key"]) for name, entry in held.items()} == {
            (name, "steps", name) for name in KEY_VARIABLES[service]
        }
        # Of Azure there are several, and of the others none may be absent
        whole = [name for name, entry in held.items() if not entry.get("optional")]
        assert bool(whole) == (service != "AZURE")


def test_without_a_bucket_or_a_secret_there_is_no_key(made):
    for settings in (bucket(), Settings(kubernetes_serving_volume="state")):
        assert "secretKeyRef" not in str(pod(made, settings))


def variables(found):
    return {v["name"]: v.get("value") for v in found["containers"][0]["env"]}


def test_the_server_is_told_what_whoever_deploys_has_set(made):
    told = variables(pod(made, bucket(max_rows=7, store_endpoint="http://s3:9000")))
    given = {name for name in HANDED_ON if str(getattr(bucket(), name))}
    assert {f"PERENNIAL_{name.upper()}" for name in given} <= set(told)
    assert told["PERENNIAL_MAX_ROWS"] == "7"
    assert told["PERENNIAL_STORE_ENDPOINT"] == "http://s3:9000"
    assert Release.model_validate_json(told["PERENNIAL_RELEASE"]) == made[0]


def test_a_container_of_azure_is_named_with_its_account(made):
    settings = Settings(store="az://models/state", store_account="ours")
    told = variables(pod(made, settings))
    assert (told["PERENNIAL_STORE"], told["PERENNIAL_STORE_ACCOUNT"]) == (
        "az://models/state",
        "ours",
    )


def test_the_same_release_gives_the_same_template(made):
    assert every(made, bucket()) == every(made, bucket())


def test_no_pod_goes_before_another_answers(made):
    found = every(made, bucket())["apps/v1"]["spec"]
    assert found["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    server = found["template"]["spec"]["containers"][0]
    assert server["startupProbe"]["exec"]["command"] == ["python", "-m", "serving.proof"]
    assert server["readinessProbe"]["httpGet"]["path"] == "/ready"
    (_, _, script) = server["lifecycle"]["preStop"]["exec"]["command"]
    drained = int(script.rsplit(" ", 1)[1])
    # uvicorn gives requests under way ten seconds more
    assert drained + 10 < found["template"]["spec"]["terminationGracePeriodSeconds"]
    assert variables(found["template"]["spec"])["PERENNIAL_DRAINING"] in script


def test_what_a_pod_asks_and_may_use_is_the_spec_s(made):
    release, manifest, spec = made
    spec = spec.model_copy(
        update={
            "resources": Resources(serving=Limits(memory="1g", cpus=2)),
            "deploy": Deploy(
                replicas=Replicas(min=3, max=9, cpu=50), requests=Requests(memory="512m")
            ),
        }
    )
    found = every((release, manifest, spec), bucket())
    server = found["apps/v1"]["spec"]["template"]["spec"]["containers"][0]
    assert server["resources"] == {
        "requests": {"memory": str(512 * 2**20), "cpu": "250m"},
        "limits": {"memory": str(2**30), "cpu": "2000m"},
    }
    assert found["apps/v1"]["spec"]["replicas"] == 3
    scaler = found["autoscaling/v2"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 9)
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    old = every((release, manifest, spec), bucket(), "autoscaling/v1")["autoscaling/v1"]
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50


@pytest.mark.parametrize("volume", ["state-claim", "/srv/perennial"])
def test_a_store_in_a_folder_is_a_volume(made, volume, tmp_path):
    settings = Settings(
        state=tmp_path, store=str(tmp_path / "store"), kubernetes_serving_volume=volume
    )
    found = pod(made, settings)
    (state,) = [v for v in found["volumes"] if v["name"] == "state"]
    assert volume in repr(state)
    assert variables(found)["PERENNIAL_STORE"] == "/state/store"


def test_what_pods_lack_is_said_before_any_is_made(made):
    release, manifest, spec = made
    with pytest.raises(GiveUp, match="cannot reach the store") as caught:
        pod_template(Settings(), spec, release, manifest)
    assert "PERENNIAL_KUBERNETES_SERVING_VOLUME" in caught.value.remedy
    with pytest.raises(GiveUp, match="do not know whose signatures count"):
        pod_template(bucket(require_signature=True), spec, release, manifest)
    columns = [c.model_copy(update={"personal": "hash"}) for c in manifest.inputs.columns]
    inputs = manifest.inputs.model_copy(update={"columns": columns})
    personal = manifest.model_copy(update={"inputs": inputs})
    with pytest.raises(GiveUp, match="each pod would do so with a key of its own"):
        pod_template(bucket(), spec, release, personal)
    pod_template(bucket(kubernetes_serving_personal_key="key"), spec, release, personal)


def test_packages_that_a_bundle_requires_have_a_folder_that_the_server_only_reads(made):
    release, manifest, spec = made
    record = EnvironmentRecord.model_construct(sha256="ab" * 32, lock=manifest.golden)
    native = manifest.model_copy(
        update={"compiled": False, "environment": record, "code": manifest.golden}
    )
    found = pod((release, native, spec), bucket())
    assert {"name": "packages", "emptyDir": {}} in found["volumes"]
    containers = (found["initContainers"][0], found["containers"][0])
    mounts = [
        [m for m in container["volumeMounts"] if m["name"] == "packages"]
        for container in containers
    ]
    where = {"name": "packages", "mountPath": "/packages"}
    assert mounts == [[{**where, "readOnly": False}], [{**where, "readOnly": True}]]
    assert variables(found)["PERENNIAL_PACKAGES"] == "/packages"
    assert "packages" not in repr(pod(made, bucket())["volumes"])


def test_what_others_added_to_an_object_stays():
    found = {
        "metadata": {"name": "x", "labels": {"team": "a"}, "annotations": {"mesh": "on"}},
        "spec": {"clusterIP": "10.0.0.1", "ports": [1]},
        "status": {"old": True},
    }
    wanted = {"metadata": {"labels": {"ours": "1"}, "annotations": {}}, "spec": {"ports": [2]}}
    assert objects.laid_over(found, wanted) == {
        "metadata": {
            "name": "x",
            "labels": {"team": "a", "ours": "1"},
            "annotations": {"mesh": "on"},
        },
        "spec": {"clusterIP": "10.0.0.1", "ports": [2]},
        "status": {"old": True},
    }


def test_a_hash_stands_in_the_labels(made):
    release = made[0]
    labels = every(made, bucket())["apps/v1"]["metadata"]["labels"]
    assert labels["perennial/release"] == "3"
    assert release.bundle.sha256.startswith(labels["perennial/bundle"])
    assert isinstance(release.bundle, Ref)
