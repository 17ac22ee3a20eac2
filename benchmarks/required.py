"""A class of a required package, from the spec to a container: compiled, and native.

`python -m benchmarks.required` from the checkout (needs an engine and `make images`). The package
index that the environment names is asked. CatBoost's usual trees are compiled; those that grow
depth by depth its exporter refuses, so they are served natively, with its packages in the image.
Each is asked new rows, and the answers are held against the stored estimator's own.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import httpx
import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.bundle.load import read_manifest
from pipelines.bundle.process_predictor import ProcessPredictor
from pipelines.deployment.docker.engine import engine_for
from pipelines.deployment.docker.names import OF_ENVIRONMENTS
from pipelines.environments.ready import paths
from pipelines.fence.own_code import OwnCode
from tests.docker.deployments import ENGINE, gateway_yard
from tests.docker.requiring import packaged, requiring
from tests.required_package import PACKAGE
from tests.wheels import Index, only_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.bundle.manifest import BundleManifest
    from tests.docker.deployments import Model, Yard

REQUIRES = "catboost==1.2.10"
CANDIDATES = {
    "compiled": "{name: cat, estimator: catboost.CatBoostClassifier, params: {iterations: 200}}",
    "native": "{name: cat, estimator: catboost.CatBoostClassifier,"
    " params: {iterations: 200, grow_policy: Depthwise}}",
}
TINY = ("pnboost==1.0", "{name: tree, estimator: pnboost.Tree}")
ROWS = 1_000
READY_SECONDS = 600
"""How long a container may take to be ready, on a machine that is busy with other work."""
ALIKE = {"compiled": 1e-5, "native": 0.0}
IMAGES = {
    f"serving{kind}_image": f"perennial/serving{name}:{os.environ.get('TAG', 'latest')}"
    for kind, name in (("", ""), ("_native", "-native"))
}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where an answer is not the estimator's own."""
    tiny = is_tiny(__doc__, argv)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("perennial").setLevel(logging.ERROR)
    api = docker.APIClient(ENGINE, version="auto", timeout=READY_SECONDS)
    rows: list[Measure] = []
    good = True
    with (
        tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder,
        gateway_yard(api, Path(folder)) as yard,
    ):
        for _ in _tiny_index(Path(folder)) if tiny else (None,):
            for form in ("native",) if tiny else CANDIDATES:
                model = requiring(yard, *(TINY if tiny else (REQUIRES, CANDIDATES[form])), **IMAGES)
                # It measures; what is asked of a start is another benchmark's.
                model = model.set(deploy_timeout_seconds=READY_SECONDS)
                gap = _measure(model, yard, form, api, rows)
                good = good and gap <= ALIKE[form]
    show("A class of a required package", rows)
    if not tiny:
        write("required", rows)
    return int(not good)


def _tiny_index(folder: Path) -> Iterator[None]:
    """Let uv know an index with a package of the tests alone."""
    index = Index(folder / "simple")
    index.add("pnboost", "1.0", {"pnboost.py": PACKAGE})
    yield from only_index(index.url)


def _measure(model: Model, yard: Yard, form: str, api: Any, rows: list[Measure]) -> float:
    """Train and deploy one form, append what was measured, and return the greatest difference."""
    store = model.context.ports.store
    try:
        began = time.perf_counter()
        request = packaged(model, "first")
        _add(rows, f"{form}: from the data to the bundle", time.perf_counter() - began, "s")
        manifest = read_manifest(store, request.package.bundle)
        if manifest.compiled != (form == "compiled"):
            raise SystemExit(f"{form}: {manifest.why_native or 'it was compiled'}")
        version = request.package.version
        model = replace(model, bundles={version: request.package.bundle})
        for which in ("first", "second"):
            began = time.perf_counter()
            model.deploy(version)
            _add(rows, f"{form}: {which} release", time.perf_counter() - began, "s")
        gap = _compare(model, manifest, f"{yard.url}/models/{model.name}/predict")
        asked_at_most = f"<= {ALIKE[form]:g}"
        _add(rows, f"{form}: greatest difference, {ROWS} rows", gap, "", asked_at_most)
        _add_size(rows, form, model, api)
        return gap
    finally:
        model.remove()
        for image in engine_for(model.context.settings).images(OF_ENVIRONMENTS):
            api.remove_image(image.id, force=True)


def _add(rows: list[Measure], measure: str, value: float, unit: str, asked: str = "") -> None:
    rows.append({"measure": measure, "value": float(f"{value:.3g}"), "unit": unit, "asked": asked})
    sys.stderr.write(f"{measure}: {value:.3g} {unit}\n")


def _add_size(rows: list[Measure], form: str, model: Model, api: Any) -> None:
    engine = engine_for(model.context.settings)
    base = api.inspect_image(IMAGES["serving_native_image"])["Size"]
    for image in engine.images(OF_ENVIRONMENTS):
        more = (api.inspect_image(image.id)["Size"] - base) / 1e6
        _add(rows, f"{form}: the packages in the image", round(more), "MB")


def _compare(model: Model, manifest: BundleManifest, url: str) -> float:
    """Return the greatest difference of the container's answers from the stored estimator's own."""
    context = model.context
    store = context.ports.store
    assert manifest.code is not None and manifest.environment is not None  # noqa: PT018
    estimator = ProcessPredictor(
        manifest.inputs,
        store.get(manifest.native),
        OwnCode.model_validate_json(store.get(manifest.code)),
        memory=2**31,
        seconds=60,
        paths=paths(manifest.environment, context.settings, store),
    )
    rows = _rows()
    try:
        own = estimator.predict(rows)[:, 0]
        answer = httpx.post(url, json={"rows": rows}, timeout=60)
        if answer.is_error:
            raise SystemExit(answer.text)
        served = answer.json()["predictions"]
    finally:
        estimator.close()
    return float(np.abs(own - np.array(served)).max())


def _rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(11)
    channels = ["mail", "search", "direct", "unheard of"]
    return [
        {
            "pages": int(rng.integers(-5, 60)),
            "minutes": None if rng.random() < 0.1 else float(np.round(rng.gamma(2.0, 5.0), 2)),
            "channel": channels[rng.integers(len(channels))],
            "trend": float(rng.random()),
        }
        for _ in range(ROWS)
    ]


if __name__ == "__main__":
    sys.exit(main())
