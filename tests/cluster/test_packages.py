"""Pods that need packages beside the lock have them from the bucket: no index is within reach."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from pipelines.bundle.load import open_bundle, read_manifest, write_bundle
from pipelines.deployment.kubernetes import names
from pipelines.environments.kept import find_kept
from pipelines.environments.ready import paths
from pipelines.environments.resolution import resolve
from pipelines.errors import Unreachable
from tests.cluster.deployments import TAG
from tests.cluster.reaching import kubectl, until
from tests.own_models import MODEL, own_code, put_own_bundle
from tests.wheels import Index, only_index

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

NO_INDEX = "http://127.0.0.1:9/simple"
STEP_SECONDS = 180
_HEAD, _REST = MODEL.split("class Clip")
_CLASS, _MAKE = _REST.split("def make")
CLIP = f"{_HEAD}class Clip{_CLASS}"
CODE = f"from pnclip import Clip\n{_HEAD}\n\ndef make{_MAKE}"
STEP = """
import sys
from pathlib import Path
from pipelines.environments.ready import paths
from pipelines.environments.record import EnvironmentRecord
from pipelines.settings import load_settings
from pipelines.store.opening import open_store
settings = load_settings()
store = open_store(settings.store, settings)
sys.path += paths(EnvironmentRecord.model_validate_json(sys.argv[1]), settings, store)
import pnclip
print("from", Path(pnclip.__file__).parent, pnclip.Clip().low)
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = Index(tmp_path_factory.mktemp("index") / "simple")
    index.add("pnclip", "1.0", {"pnclip/__init__.py": CLIP, "pnclip/facts.txt": "a file"})
    for _ in only_index(index.url):
        yield index


@pytest.fixture
def found(yard, index, monkeypatch):
    """A model with two versions whose own code imports the package."""
    model = yard.model()
    store, settings = model.context.ports.store, model.context.settings
    record = resolve(["pnclip==1.0"], store)
    monkeypatch.setattr(sys, "path", [*sys.path, *paths(record, settings, store)])

    def bundle(version):
        own = put_own_bundle(store, own_code(CODE, model.name), version=version)
        changes = {"model": model.name, "environment": record}
        return write_bundle(store, read_manifest(store, own).model_copy(update=changes))

    yield replace(model, bundles={v: bundle(v) for v in ("1", "2")}), record
    model.remove()


def archive(model, record):
    kept = find_kept(record, model.context.ports.store)
    [package] = [p for p in kept.packages if p.name == "pnclip"]
    return package.archive


def test_a_release_s_pods_lay_the_packages_that_it_requires(found, yard):
    model, record = found
    assert find_kept(record, model.context.ports.store) is not None, "whoever trained kept them"
    for _ in only_index(NO_INDEX):
        assert model.deploy("1").release == 1
    assert model.says() == (1, "1")
    bundle = open_bundle(model.context.ports.store, model.bundles["1"], model.context.settings)
    bundle.predictor.close()
    for row, answer in zip(bundle.golden.rows, bundle.golden.answers, strict=True):
        path = f"/api/v1/namespaces/{yard.namespace}/services/http:perennial-{kebab(model)}:http"
        said = yard.cluster.ask(
            "POST", f"{path}/proxy/models/{model.name}/predict", body={"row": row}
        )
        assert said["predictions"] == answer
    # One whose archive is not what was kept never serves, and nothing that served is touched.
    gone = archive(model, record)
    yard.endpoint.boto().put_object(
        Bucket=yard.address().bucket, Key=gone.uri, Body=b"something else"
    )
    for _ in only_index(NO_INDEX):
        with pytest.raises(Unreachable, match="package index"):
            model.deploy("2")
    assert model.says() == (1, "1")


def kebab(model):
    return model.name.replace("_", "-")


def test_a_pod_whose_packages_are_changed_behind_it_refuses(found, yard):
    model, record = found
    model.deploy("1")
    gone = archive(model, record)
    yard.endpoint.boto().put_object(
        Bucket=yard.address().bucket, Key=gone.uri, Body=b"something else"
    )
    kubectl("-n", yard.namespace, "delete", "pods", "-l", pods_of(model))
    until(lambda: gone.sha256 in complaints(yard, model), STEP_SECONDS)


def pods_of(model):
    return names.selector(names.of_model(model.name, model.context.settings))


def complaints(yard, model):
    """What the containers that bring releases said at their end."""
    listed = kubectl("-n", yard.namespace, "get", "pods", "-l", pods_of(model), "-o", "json")
    return json.dumps(
        [pod["status"].get("initContainerStatuses", []) for pod in json.loads(listed)["items"]]
    )


def test_a_step_in_a_pod_takes_them_from_the_bucket(found, yard):
    model, record = found
    settings = model.context.settings
    container = {
        "name": "step",
        "image": f"perennial/steps:{TAG}",
        "imagePullPolicy": "Never",
        "command": ["python", "-c", STEP, record.model_dump_json()],
        "env": [
            {"name": "PERENNIAL_STORE", "value": settings.store},
            {"name": "PERENNIAL_STORE_ENDPOINT", "value": settings.store_endpoint},
            {"name": "UV_DEFAULT_INDEX", "value": NO_INDEX},
        ],
        "envFrom": [{"secretRef": {"name": settings.kubernetes_serving_secret}}],
        "securityContext": {"readOnlyRootFilesystem": True, "runAsUser": 10_001},
        "volumeMounts": [
            {"name": "state", "mountPath": "/state"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    name = f"step-{kebab(model)}"
    yard.make(
        "pods",
        {
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never",
                "enableServiceLinks": False,
                "securityContext": {"fsGroup": 10_001},
                "containers": [container],
                "volumes": [{"name": "state", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
            },
        },
    )
    where = ("-n", yard.namespace)

    def phase():
        return kubectl(*where, "get", "pod", name, "-o", "jsonpath={.status.phase}")

    until(lambda: phase() in {"Succeeded", "Failed"}, STEP_SECONDS)
    said = kubectl(*where, "logs", name)
    assert phase() == "Succeeded", said
    assert said.startswith("from /state/environments/"), said
