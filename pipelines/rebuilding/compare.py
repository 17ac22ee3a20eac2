"""Compare what was built again with what was recorded, in the order in which a version is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.load import open_bundle, read_manifest, write_bundle
from pipelines.bundle.rows import feed_from_table
from pipelines.data import labelled_rows
from pipelines.errors import Corrupted
from pipelines.rebuilding.graphs import describe_graphs
from pipelines.rebuilding.outcome import Check
from pipelines.rebuilding.tables import describe_difference
from pipelines.recipes import learnt_of
from pipelines.refs import sha256
from pipelines.training import estimators

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.bundle.rows import Feed
    from pipelines.context import Context
    from pipelines.messages import FeaturesResult, TrainResult
    from pipelines.recipes import Recipe
    from pipelines.refs import Ref
    from pipelines.store.port import Store

    Array = np.ndarray[Any, Any]

MOST_ROWS = 20_000
"""Rows of which both versions are asked, spread evenly over all that the version has seen."""
SHOWN = 100
"""Characters of a value that are shown."""
OTHERWISE = frozenset({"native", "onnx", "features_revision", "format"})
"""Fields of a bundle that are compared otherwise, or not at all: a skops file of one model has
other bytes in each process, so its answers are compared; and the rebuild has a revision of its own.
"""


def compare_features(
    context: Context, recipe: Recipe, rebuilt: Mapping[str, bytes]
) -> Iterator[Check]:
    """Yield a check of each batch's features; `context` is that of the recorded ones."""
    for name, data in rebuilt.items():
        words, detail = "", ""
        try:
            recorded = context.ports.versions.fetch(
                context.spec.name, recipe.features.version, [name]
            )[0]
            if sha256(recorded.read_bytes()) != sha256(data):
                words, detail = describe_difference(recorded, data, context.spec.key)
        except Corrupted as error:
            words = f"the recorded ones cannot be read: {error.message}"
        yield Check(name=f"features of {name}", equal=not words, words=words, detail=detail)


def compare_training(recipe: Recipe, trained: TrainResult) -> Iterator[Check]:
    """Yield a check of each thing that training says of the candidate."""
    before = recipe.learnt.model_dump(mode="json")
    after = learnt_of(trained).model_dump(mode="json")
    for name, recorded in before.items():
        words = ": ".join(filter(None, first_difference(recorded, after[name]) or ()))
        yield Check(name=f"training: {name}", equal=not words, words=words)


def compare_bundles(
    recorded: tuple[Store, BundleManifest], rebuilt: tuple[Store, BundleManifest]
) -> Iterator[Check]:
    """Yield a check of each field of a bundle, then of the compiled model's bytes if either is."""
    (store, one), (own, other) = recorded, rebuilt
    before, after = one.model_dump(mode="json"), other.model_dump(mode="json")
    for name in (n for n in before if n not in OTHERWISE):
        found = first_difference(before[name], after[name])
        words, detail = (found[0] or "differs", found[1]) if found else ("", "")
        yield Check(name=f"bundle: {name}", equal=not words, words=words, detail=detail)
    files = [s.get(m.onnx) if m.onnx else b"" for s, m in ((store, one), (own, other))]
    if not any(files):
        return
    words = "" if files[0] == files[1] else describe_graphs(*files)
    yield Check(name="ONNX bytes", equal=not words, words=words)


def rows_to_ask(context: Context, features: FeaturesResult) -> pa.Table:
    """Return rows that the version was fitted on and judged by, in the types of its inputs."""
    spec = context.spec
    table, _ = labelled_rows.rows_to_fit(context, features)
    table = estimators.give_types(table, spec.inputs)
    places = np.linspace(0, table.num_rows - 1, min(MOST_ROWS, table.num_rows))
    return table.take(np.unique(places.astype(np.int64)))


def compare_answers(
    recorded: Context, bundle: Ref, context: Context, rebuilt: Ref, rows: pa.Table
) -> tuple[list[Check], int]:
    """Return a check of what each form of both versions answers, and how many rows are identical.

    The forms are the one that serves and the native one; identical means every bit of all forms.
    """
    manifest = read_manifest(recorded.ports.store, bundle)
    feed = feed_from_table(manifest.inputs.columns, rows)
    checks, same = [], np.ones(rows.num_rows, dtype=bool)
    forms = {"compiled": True, "native": False} if manifest.compiled else {"native": False}
    for form, compiled in forms.items():
        before = _ask(context, bundle, feed, compiled=compiled)
        after = _ask(context, rebuilt, feed, compiled=compiled)
        equal = _same_bits(before, after)
        same &= equal
        words, detail = (
            ("", "") if equal.all() else _describe_answers(before, after, equal, rows, context)
        )
        name = f"answers, {form}"
        checks.append(Check(name=name, equal=not words, words=words, detail=detail))
    return checks, int(same.sum())


def _ask(context: Context, bundle: Ref, feed: Feed, *, compiled: bool) -> Array:
    """Return a bundle's answers (n, k) in one form; the workshop's store reads both bundles."""
    store = context.ports.store
    manifest = read_manifest(store, bundle)
    if manifest.compiled and not compiled:
        bundle = write_bundle(store, manifest.model_copy(update={"compiled": False}))
    predictor = open_bundle(store, bundle, context.settings).predictor
    try:
        answers = np.asarray(predictor.predict_feed(feed), dtype=np.float64)
    finally:
        getattr(predictor, "close", lambda: None)()
    return answers.reshape(len(answers), -1)


def _same_bits(before: Array, after: Array) -> Array:
    """Return (n,) booleans: whether all numbers of a row's answers are the same bits."""
    if before.shape != after.shape:
        return np.zeros(len(before), dtype=bool)
    bits = [np.ascontiguousarray(a).view(np.uint64) for a in (before, after)]
    return np.asarray((bits[0] == bits[1]).all(axis=1))


def _describe_answers(
    before: Array, after: Array, equal: Array, rows: pa.Table, context: Context
) -> tuple[str, str]:
    if before.shape != after.shape:
        return f"recorded {before.shape[1]} numbers for a row, rebuilt {after.shape[1]}", ""
    place = int(np.flatnonzero(~equal)[0])
    key = ", ".join(f"{k} {rows[k][place].as_py()}" for k in context.spec.key)
    far = np.nanmax(np.abs(before - after))
    was, now = before[place].tolist(), after[place].tolist()
    return (
        f"{int((~equal).sum()):,} of {len(equal):,} rows, by up to {far:.3g}",
        f"{key}: recorded {was}, rebuilt {now}",
    )


def first_difference(recorded: Any, rebuilt: Any, path: str = "") -> tuple[str, str] | None:
    """Return where two JSON values differ first and both values there; None where they are equal.

    The place is empty where the values themselves differ.
    """
    if isinstance(recorded, dict) and isinstance(rebuilt, dict):
        for name in dict.fromkeys([*recorded, *rebuilt]):
            before, after = recorded.get(name), rebuilt.get(name)
            if found := first_difference(before, after, f"{path}.{name}" if path else name):
                return found
        return None
    if isinstance(recorded, list) and isinstance(rebuilt, list) and len(recorded) == len(rebuilt):
        for place, pair in enumerate(zip(recorded, rebuilt, strict=True)):
            if found := first_difference(*pair, f"{path}[{place}]"):
                return found
        return None
    if recorded == rebuilt:
        return None
    was, now = (str(value)[:SHOWN] for value in (recorded, rebuilt))
    return path, f"recorded {was}, rebuilt {now}"
