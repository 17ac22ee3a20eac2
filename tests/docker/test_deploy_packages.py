"""A bundle that needs packages beside the lock is released with them, in a container that has
neither uv nor a network to any index."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pipelines.bundle.load import open_bundle, read_manifest, write_bundle
from pipelines.deployment.docker.engine import engine_for
from pipelines.deployment.docker.names import OF_ENVIRONMENTS, environment_image
from pipelines.environments.ready import paths
from pipelines.environments.resolution import resolve
from pipelines.steps import deploy
from tests.docker.requiring import packaged, requiring
from tests.own_models import MODEL, own_code, put_own_bundle
from tests.required_package import PACKAGE
from tests.wheels import Index, only_index

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NATIVE = os.environ.get("PERENNIAL_TEST_NATIVE_IMAGE", "perennial/serving-native:latest")
_HEAD, _REST = MODEL.split("class Clip")
_CLASS, _MAKE = _REST.split("def make")
CLIP = f"{_HEAD}class Clip{_CLASS}"
CODE = f"from pnclip import Clip\n{_HEAD}\n\ndef make{_MAKE}"


@pytest.fixture(scope="module")
def index():
    """An index that has the model's transformer as a package."""
    with tempfile.TemporaryDirectory(prefix="perennial-index-") as name:
        index = Index(Path(name) / "simple")
        index.add("pnclip", "1.0", {"pnclip/__init__.py": CLIP, "pnclip/facts.txt": "a file"})
        index.add("pnboost", "1.0", {"pnboost.py": PACKAGE})
        for _ in only_index(index.url):
            yield index


@pytest.fixture
def found(yard, index, monkeypatch):
    """A model with two versions whose own code imports the package."""
    model = yard.model(serving_native_image=NATIVE)
    context = model.context
    store = context.ports.store
    record = resolve(["pnclip==1.0"], store)
    monkeypatch.setattr(sys, "path", [*sys.path, *paths(record, context.settings, store)])

    def bundle(version):
        own = put_own_bundle(store, own_code(CODE, model.name), version=version)
        changes = {"model": model.name, "environment": record}
        return write_bundle(store, read_manifest(store, own).model_copy(update=changes))

    yield replace(model, bundles={v: bundle(v) for v in ("1", "2")}), record
    model.remove()
    engine = engine_for(context.settings)
    for image in engine.images(OF_ENVIRONMENTS):
        engine.remove_image(image.id)


def test_a_release_brings_the_packages_that_it_requires(found, engine, yard):
    model, record = found
    deployed = model.deploy("1")
    assert (deployed.release, model.says()) == (1, (1, "1"))
    native = engine.inspect_image(NATIVE)["Id"]
    packages = engine.inspect_image(environment_image(record, native))
    image = engine.inspect_image(f"perennial/release-{model.name}:1")
    labels = image["Config"]["Labels"]
    assert (labels["perennial.base"], labels["perennial.environment"]) == (
        packages["Id"],
        record.sha256,
    )
    bundle = open_bundle(model.context.ports.store, model.bundles["1"], model.context.settings)
    bundle.predictor.close()
    url = f"{yard.url}/models/{model.name}/predict"
    for row, answer in zip(bundle.golden.rows, bundle.golden.answers, strict=True):
        assert httpx.post(url, json={"row": row}).json()["predictions"] == answer

    # The second release of the same environment asks nobody, and shares the layer.
    for _ in only_index("http://127.0.0.1:9/simple"):
        assert model.deploy("2").release == 2
    assert model.says() == (2, "2")
    again = engine.inspect_image(f"perennial/release-{model.name}:2")
    assert again["Config"]["Labels"]["perennial.base"] == packages["Id"]


def test_an_estimator_of_a_required_package_comes_from_the_spec_to_a_container(yard, index):
    candidate = "{name: tree, estimator: pnboost.Tree, encode: onehot, search: {depth: [3, 5]}}"
    model = requiring(yard, "pnboost~=1.0", candidate, serving_native_image=NATIVE)
    try:
        request = packaged(model, "first")
        store, settings = model.context.ports.store, model.context.settings
        manifest = read_manifest(store, request.package.bundle)
        assert (manifest.candidate, manifest.compiled) == ("tree", False)
        assert manifest.packages == model.context.environment
        deploy.run(model.context, request)
        bundle = open_bundle(store, request.package.bundle, settings)
        rows = [
            {"pages": p, "minutes": m, "channel": c, "trend": 0.4}
            for p, m, c in [(3, 2.5, "mail"), (25, None, "search"), (14, 9.0, "unheard of")]
        ]
        asked = {"rows": rows}
        answer = httpx.post(f"{yard.url}/models/{model.name}/predict", json=asked).json()
        assert answer["predictions"] == bundle.predictor.predict(rows)[:, 0].tolist()
        bundle.predictor.close()
    finally:
        model.remove()
