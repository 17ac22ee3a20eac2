"""A bundle is verified before anything of it is loaded, and proves itself on its golden
requests."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipelines.bundle.load import golden_differences, open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest, Golden
from pipelines.bundle.rows import feed_from_table, rows_from_table
from pipelines.errors import BadData, Corrupted, Refused
from pipelines.refs import Ref, canonical
from pipelines.store.local import LocalStore
from tests.serving.bundles import put_bundle, small_table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with a compiled and a native bundle of the same pipeline."""
    store = LocalStore(tmp_path_factory.mktemp("store"))
    return store, {"compiled": put_bundle(store), "native": put_bundle(store, compiled=False)}


@pytest.fixture
def store(made, tmp_path):
    import shutil

    shutil.copytree(made[0].root, tmp_path / "store")
    return LocalStore(tmp_path / "store")


def changed(store, ref, **fields) -> Ref:
    manifest = BundleManifest.model_validate_json(store.get(ref))
    return write_bundle(store, BundleManifest.model_validate({**manifest.model_dump(), **fields}))


@pytest.mark.parametrize("kind", ["compiled", "native"])
def test_a_bundle_answers_as_it_was_packaged(store, made, kind):
    bundle = open_bundle(store, made[1][kind])
    assert golden_differences(bundle) == []
    answers = bundle.predictor.predict(bundle.golden.rows)
    assert (answers.shape, answers.dtype) == ((8, 1), np.dtype("float64"))


@pytest.mark.parametrize("kind", ["compiled", "native"])
def test_a_whole_table_is_answered_like_its_rows(store, made, kind):
    predictor = open_bundle(store, made[1][kind]).predictor
    table = small_table(60, seed=9)
    rows = rows_from_table(predictor.schema.columns, table)
    by_row = np.concatenate([predictor.predict([row]) for row in rows])
    assert (
        predictor.predict_feed(feed_from_table(predictor.schema.columns, table)) == by_row
    ).all()


def test_compiled_and_native_agree(store, made):
    table = small_table(400, seed=9)
    feeds = [
        (b := open_bundle(store, ref)).predictor.predict_feed(
            feed_from_table(b.manifest.inputs.columns, table)
        )
        for ref in made[1].values()
    ]
    assert np.abs(feeds[0] - feeds[1]).max() < 1e-6


def test_the_shapes_of_the_other_tasks(tmp_path):
    store = LocalStore(tmp_path)
    for task, width in (("multiclass", 3), ("regression", 1)):
        for compiled in (True, False):
            bundle = open_bundle(store, put_bundle(store, task=task, compiled=compiled))
            assert bundle.predictor.predict(bundle.golden.rows).shape == (8, width)
            assert golden_differences(bundle) == []


def test_a_difference_is_told_by_row_expected_and_got(store, made):
    bundle = open_bundle(store, made[1]["compiled"])
    answers = [list(a) for a in bundle.golden.answers]
    true = answers[3][0]
    answers[3] = [float(np.nextafter(true, 1))]
    ref = changed(
        store,
        made[1]["compiled"],
        golden=store.put(canonical(Golden(rows=bundle.golden.rows, answers=answers)), ".json"),
    )
    assert golden_differences(open_bundle(store, ref)) == [
        f"golden request 3: expected {answers[3]}, got [{true}]"
    ]


@pytest.mark.parametrize("part", ["manifest", "native", "onnx", "golden"])
def test_a_flipped_byte_is_refused_naming_the_object(store, made, part):
    ref = made[1]["compiled"]
    manifest = BundleManifest.model_validate_json(store.get(ref))
    object_ = ref if part == "manifest" else getattr(manifest, part)
    path = store.root / object_.uri
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupted, match=object_.uri):
        open_bundle(store, ref)


def test_a_missing_object_is_refused_naming_it(store, made):
    manifest = BundleManifest.model_validate_json(store.get(made[1]["native"]))
    (store.root / manifest.native.uri).unlink()
    with pytest.raises(Corrupted, match=manifest.native.uri):
        open_bundle(store, made[1]["native"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"onnx": None}, "no ONNX file", id="compiled without a compiled model"),
        pytest.param(
            {"golden": b'{"rows": [], "answers": []}'},
            "no golden requests",
            id="nothing to prove itself on",
        ),
        pytest.param(
            {"golden": b'{"rows": [{}], "answers": []}'}, "not one answer", id="answers are missing"
        ),
        pytest.param({"golden": b"[]"}, "no Golden", id="golden of another form"),
        pytest.param({"onnx": b"no model"}, "cannot be loaded", id="not ONNX"),
        pytest.param({"compiled": False, "native": b"no zip"}, "cannot be loaded", id="not skops"),
    ],
)
def test_what_is_verified_but_makes_no_sense_is_refused(store, made, fields, words):
    stored = {k: store.put(v) if isinstance(v, bytes) else v for k, v in fields.items()}
    with pytest.raises(BadData, match=words):
        open_bundle(store, changed(store, made[1]["compiled"], **stored))


def test_an_object_that_is_no_manifest_is_refused(store):
    ref = store.put(b'{"format": 2}')
    with pytest.raises(BadData, match=f"{ref.uri} is no BundleManifest"):
        open_bundle(store, ref)


def test_a_model_that_does_not_fit_its_schema_is_refused(store, made):
    inputs = BundleManifest.model_validate_json(store.get(made[1]["compiled"])).inputs
    fewer = inputs.model_copy(update={"columns": inputs.columns[1:]})
    with pytest.raises(BadData, match="does not fit its schema"):
        open_bundle(store, changed(store, made[1]["compiled"], inputs=fewer.model_dump()))


def test_types_that_the_loader_does_not_trust_are_refused_and_not_built(store, made, tmp_path):
    from sklearn.preprocessing import FunctionTransformer
    from skops import io

    hostile = io.dumps(FunctionTransformer(func=print))
    assert b"print" in hostile or io.get_untrusted_types(data=hostile)
    ref = changed(store, made[1]["native"], native=store.put(hostile, ".skops"))
    with pytest.raises(Refused, match="not trusted"):
        open_bundle(store, ref)


@pytest.mark.slow
def test_a_compiled_bundle_imports_neither_pandas_nor_scikit_learn(store, made):
    code = f"""
import sys
from pathlib import Path
from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.refs import Ref
from pipelines.store.local import LocalStore
ref = Ref.model_validate_json({made[1]["compiled"].model_dump_json()!r})
bundle = open_bundle(LocalStore(Path({str(store.root)!r})), ref)
assert golden_differences(bundle) == []
print(*sorted({{"pandas", "sklearn", "skops", "scipy", "pyarrow"}} & set(sys.modules)))
"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.strip()
        == ""
    )
