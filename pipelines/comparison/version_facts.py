"""What is known of a version: its bundle, its verdict, and what it was registered with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from pipelines.approvals import marks_of
from pipelines.bundle.load import open_bundle
from pipelines.bundle.predictor import NativePredictor, Predictor
from pipelines.context import METRICS_TAG
from pipelines.errors import Corrupted, RequestError
from pipelines.intervals import SNAPSHOT
from pipelines.ledger import Crown, GateVerdict, ReleaseIntent
from pipelines.spec.metrics import is_known

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.bundle.load import OpenBundle
    from pipelines.bundle.manifest import BundleManifest
    from pipelines.context import Context
    from pipelines.refs import Ref

_CALLS = 15
"""Single rows that a version is asked to see how long one takes."""


@dataclass(frozen=True)
class VersionFacts:
    """A version as the ledger, the registry and its bundle know it.

    Sizes are in bytes, `milliseconds` the median time of one row in this process by form.
    """

    version: str
    bundle: OpenBundle
    verdict: GateVerdict | None
    served_since: datetime | None
    mark: str
    """What a person said of it, in words; empty where nobody did."""
    batches: int
    code: str
    metrics_code: str | None
    """The hash of its `metrics.py`; "" where it had none, None where that was not written down."""
    sizes: dict[str, int]
    milliseconds: dict[str, float]

    @property
    def manifest(self) -> BundleManifest:
        """What the version is made of."""
        return self.bundle.manifest


def find_bundle(context: Context, version: str) -> Ref:
    """Return a version's bundle.

    Raises RequestError, with what there is, where it has none.
    """
    ledger, model = context.ports.ledger, context.spec.name
    decisions = [
        e.decision for kind in ("champion", "release") for e in ledger.entries(model, kind)
    ]
    bundles = {d.version: d.bundle for d in decisions if isinstance(d, Crown | ReleaseIntent)}
    if version in bundles:
        return bundles[version]
    for entry in ledger.entries(model, "verdict"):
        verdict = entry.decision
        if isinstance(verdict, GateVerdict) and verdict.version == version:
            was = "was refused" if verdict.verdict == "refuse" else "was never released"
            raise RequestError(
                f"Version {version} of {model} {was}, so it has no bundle to compare.",
                remedy=f"the page `comparison` of its run, {entry.run}, shows its candidates.",
            )
    known = ", ".join(bundles) or "none yet"
    raise RequestError(
        f"{model} has no version {version!r}.", remedy=f"versions that were released: {known}."
    )


def read_version(context: Context, version: str, ref: Ref) -> VersionFacts:
    """Return what is known of a version whose bundle is given.

    Raises RequestError where the bundle is gone or was changed.
    """
    store, model = context.ports.store, context.spec.name
    try:
        bundle = open_bundle(store, ref, context.settings)
    except Corrupted as error:
        raise RequestError(
            f"The bundle of version {version} of {model} cannot be read: {error.message}",
            remedy="restore it from a backup, or compare with a version that is kept.",
        ) from error
    manifest = bundle.manifest
    verdict = context.ports.ledger.find(model, "verdict", manifest.run)
    decision = verdict.decision if verdict is not None else None
    mark = marks_of(context.ports.ledger, model).of(version)
    return VersionFacts(
        version=version,
        bundle=bundle,
        verdict=decision if isinstance(decision, GateVerdict) else None,
        served_since=_since(context, version),
        mark=mark.text if mark else "",
        batches=_count_batches(context, manifest),
        code=_code(context, version),
        metrics_code=_metrics_code(context, version, manifest),
        sizes={f: len(store.get(r)) for f, r in _files(manifest).items()},
        milliseconds=_speeds(bundle, store.get(manifest.native)),
    )


def _since(context: Context, version: str) -> datetime | None:
    crowns = context.ports.ledger.entries(context.spec.name, "champion")
    moments = [
        e.at for e in crowns if isinstance(e.decision, Crown) and e.decision.version == version
    ]
    return moments[0] if moments else None


def _code(context: Context, version: str) -> str:
    """Return the hash of the code that it was made by; empty where that was not written down."""
    return _tags(context, version).get("code_sha256", "")


def _metrics_code(context: Context, version: str, manifest: BundleManifest) -> str | None:
    """Return the hash of the `metrics.py` that a version was judged by.

    "" where it had no metric of its own, None where it had one and no hash was written down.
    """
    known = _tags(context, version).get(METRICS_TAG)
    if known is None and all(is_known(name) for name in manifest.metrics):
        return ""
    return known


def _tags(context: Context, version: str) -> dict[str, str]:
    """Return what a version was registered with."""
    found = [v for v in context.ports.registry.versions(context.spec.name) if v.version == version]
    return found[0].tags if found else {}


def _count_batches(context: Context, manifest: BundleManifest) -> int:
    """Return of how many batches it was fitted on; 0 where its features are no longer known."""
    try:
        files = context.ports.versions.files(manifest.model, manifest.features_revision)
    except (Corrupted, RequestError):
        return 0
    if manifest.fitted_on == SNAPSHOT:
        return len(files)
    first, last = (f"{m:%Y-%m-%dT%H}" for m in (manifest.fitted_on.start, manifest.fitted_on.end))
    return sum(first <= name < last for name in files)


def _files(manifest: BundleManifest) -> dict[str, Ref]:
    return {"native": manifest.native, **({"compiled": manifest.onnx} if manifest.onnx else {})}


def _speeds(bundle: OpenBundle, native: bytes) -> dict[str, float]:
    """Return how long one row takes by form; own code answers in the process that it has."""
    manifest, predictors = bundle.manifest, dict[str, Predictor]()
    if not manifest.compiled:
        predictors["native"] = bundle.predictor
    else:
        if manifest.code is None:
            predictors["native"] = NativePredictor(manifest.inputs, native)
        predictors["compiled"] = bundle.predictor
    return {form: _milliseconds(p, bundle) for form, p in predictors.items()}


def _milliseconds(predictor: Predictor, bundle: OpenBundle) -> float:
    rows, times = bundle.golden.rows, []
    for i in range(_CALLS):
        began = time.perf_counter()
        try:
            predictor.predict([rows[i % len(rows)]])
        except ValueError:  # scikit-learn refuses some edge rows, see NativePredictor
            continue
        times.append(1_000 * (time.perf_counter() - began))
    return median(times) if times else float("nan")
