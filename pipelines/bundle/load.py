"""Write and open bundles.

Everything is verified before anything is loaded, and a model proves itself on its golden requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from pipelines.bundle.manifest import BundleManifest, Golden
from pipelines.bundle.predictor import NativePredictor, OnnxPredictor, Predictor
from pipelines.errors import BadData
from pipelines.fence.own_code import OwnCode
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import Value, canonical
from pipelines.tasks import has_named_classes

if TYPE_CHECKING:
    from pipelines.refs import Ref
    from pipelines.settings import Settings
    from pipelines.store.port import Store

V = TypeVar("V", bound=Value)

SECONDS = 1_800.0
"""How long one answer of a model's own code may take, where whole tables are asked."""
MOST_PROBLEMS = 5
"""So many are named of an object that makes no sense."""


@dataclass(frozen=True)
class OpenBundle:
    """A bundle that is ready to answer."""

    manifest: BundleManifest
    predictor: Predictor
    golden: Golden


def write_bundle(store: Store, manifest: BundleManifest) -> Ref:
    """Store the manifest and return its reference: the bundle's one name.

    Its files must be in the store already.
    """
    return store.put(canonical(manifest), ".json")


def read_manifest(store: Store, ref: Ref) -> BundleManifest:
    """Return a bundle's manifest, verified. Raises Corrupted, and BadData where it is none."""
    return _parse(BundleManifest, store.get(ref), ref)


def read_golden(store: Store, ref: Ref) -> tuple[BundleManifest, Golden]:
    """Return a bundle's manifest and its golden requests, verified; nothing is loaded.

    Raises Corrupted, and BadData where one of them makes no sense.
    """
    manifest = read_manifest(store, ref)
    golden = _parse(Golden, store.get(manifest.golden), manifest.golden)
    _refuse_nonsense(manifest, golden)
    return manifest, golden


def open_bundle(
    store: Store, ref: Ref, settings: Settings | None = None, *, seconds: float = SECONDS
) -> OpenBundle:
    """Return the bundle of a manifest's reference.

    The manifest and all its files are verified first; a compiled bundle then imports neither pandas
    nor scikit-learn. One with code of its own answers in a process of its own, each time within
    `seconds`, with the packages that it requires, which `settings` (default: those of the
    environment) say where to install.

    Raises Corrupted naming the object, BadData where a verified file makes no sense, Refused for
    types not trusted.
    """
    manifest = read_manifest(store, ref)
    files = {file.uri: store.get(file) for file in manifest.files}
    golden = _parse(Golden, files[manifest.golden.uri], manifest.golden)
    _refuse_nonsense(manifest, golden)
    predictor: Predictor
    if manifest.compiled and manifest.onnx is not None:
        predictor = OnnxPredictor(manifest.inputs, files[manifest.onnx.uri])
    elif manifest.code is not None:
        # Imported where it is needed: the image for compiled models lacks what it imports.
        from pipelines.bundle.process_predictor import ProcessPredictor
        from pipelines.fence.memory import free_memory

        code = _parse(OwnCode, files[manifest.code.uri], manifest.code)
        predictor = ProcessPredictor(
            manifest.inputs,
            files[manifest.native.uri],
            code,
            memory=free_memory() // 2,
            seconds=seconds,
            paths=_paths(store, manifest, settings),
        )
    else:
        predictor = NativePredictor(manifest.inputs, files[manifest.native.uri])
    return OpenBundle(manifest, predictor, golden)


def _paths(store: Store, manifest: BundleManifest, settings: Settings | None) -> list[str]:
    """Return the folders of the packages that the version requires, installed."""
    if manifest.packages is None:
        return []
    from pipelines.environments.ready import paths
    from pipelines.settings import load_settings

    return paths(manifest.packages, settings or load_settings(), store)


def golden_differences(bundle: OpenBundle) -> list[str]:
    """Answer the golden requests one row at a time and return the differences in words.

    Empty where all are exactly equal.
    """
    differences = []
    for number, (row, expected) in enumerate(
        zip(bundle.golden.rows, bundle.golden.answers, strict=True)
    ):
        answer = bundle.predictor.predict([row])[0].tolist()
        if answer != expected:
            differences.append(f"golden request {number}: expected {expected}, got {answer}")
    return differences


def _parse(kind: type[V], data: bytes, ref: Ref) -> V:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        faults = problems(error, None, kind)
        raise BadData(
            f"The object {ref.uri} is no {kind.__name__}: {in_one_line(faults[:MOST_PROBLEMS])}"
        ) from error


def _refuse_nonsense(manifest: BundleManifest, golden: Golden) -> None:
    names = [c.name for c in manifest.inputs.columns]
    many = len(manifest.inputs.classes or ()) > 1
    problems = [
        (
            "it is called compiled, but has no ONNX file"
            if manifest.compiled and manifest.onnx is None
            else ""
        ),
        "an input stands twice" if len(set(names)) != len(names) else "",
        (
            "a multiclass model needs two classes or more"
            if has_named_classes(manifest.inputs.task) and not many
            else ""
        ),
        "it has no golden requests" if not golden.rows else "",
        (
            "it has not one answer per golden request"
            if len(golden.rows) != len(golden.answers)
            else ""
        ),
    ]
    faults = [p for p in problems if p]
    if faults:
        raise BadData(
            f"The bundle of {manifest.model} {manifest.version} makes no sense:"
            f" {'; '.join(faults)}."
        )
