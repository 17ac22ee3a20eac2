"""A finished model is taken as it is, or refused in words before anything is judged."""

import numpy as np
import pyarrow as pa
import pytest
from onnx import TensorProto
from onnx import helper as made
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from skops import io

from pipelines.bundle.predictor import NativePredictor
from pipelines.bundle.rows import feed_from_table, frame_from_feed
from pipelines.errors import SpecError
from pipelines.spec import Candidate
from pipelines.training.estimators import build_pipeline
from pipelines.training.onnx import finished
from pipelines.training.onnx.export import compile_pipeline
from tests.unit.training.onnx.finished_models import (
    TABLE,
    net,
    read,
    save,
    schema,
    tensor,
    weights,
    with_weights_elsewhere,
)

FEED = feed_from_table(schema().columns, TABLE)
FRAME = frame_from_feed(FEED)


@pytest.mark.parametrize(
    ("task", "data"),
    [
        ("binary", net()),
        ("binary", net(2, "Softmax")),
        ("multiclass", net(3, "Softmax")),
        ("regression", net(1, "Identity")),
    ],
)
def test_it_is_judged_stored_compiled_and_served_as_a_fitted_one(tmp_path, task, data):
    model = read(tmp_path, data, task)
    pipeline = clone(Pipeline([("estimator", model)])).fit(FRAME, np.array([0, 1, 0]))
    scores = np.nan_to_num(np.hstack([FEED["a"], FEED["b"]]))
    assert len(pipeline.predict(FRAME)) == 3
    if task == "regression":
        np.testing.assert_allclose(pipeline.predict(FRAME), scores @ [0.1, 0.2], rtol=1e-6)
    else:
        answers = pipeline.predict_proba(FRAME)
        assert answers.shape == (3, 3 if task == "multiclass" else 2)
        np.testing.assert_allclose(answers.sum(axis=1), 1.0, rtol=1e-6)
        assert list(pipeline.classes_) == list(range(answers.shape[1]))
    found = compile_pipeline(pipeline, schema(task), FEED, [{"a": None, "b": 1e6}])
    assert (found.parity, found.why_not) == (0.0, "")
    stored = NativePredictor(schema(task), io.dumps(pipeline))
    asked = pipeline.predict(FRAME) if task == "regression" else pipeline.predict_proba(FRAME)
    given = stored.predict_feed(FEED)
    np.testing.assert_array_equal(given[:, -1], asked if task == "regression" else asked[:, -1])


def test_a_model_may_take_each_input_by_its_name_texts_as_well(tmp_path):
    table = pa.table({"a": [0.5, 1.0], "shop": ["x", "y"]})
    nodes = [
        made.make_node("Identity", ["shop"], ["unused"]),
        made.make_node("Sigmoid", ["a"], ["answers"]),
    ]
    inputs = [tensor("shop", "n", 1, kind=TensorProto.STRING), tensor("a", "n", 1)]
    model = read(tmp_path, save(nodes, inputs, [tensor("answers", "n", 1)]), table=table)
    frame = frame_from_feed(feed_from_table(schema(table=table).columns, table))
    np.testing.assert_allclose(model.predict_proba(frame)[:, 1], 1 / (1 + np.exp([-0.5, -1.0])))


def one_node(kind, **attributes):
    """Return a model of one node, and a sigmoid where that is not said."""
    return [
        made.make_node(kind, ["x"], ["y"], **attributes),
        made.make_node("MatMul", ["y", "w"], ["z"]),
        made.make_node("Sigmoid", ["z"], ["answers"]),
    ]


ENDS = [tensor("x", "n", 2)], [tensor("answers", "n", 1)], [weights("w", 2, 1)]
BAD = {
    "no ONNX": (b"not a model at all, but some text", "no ONNX file|does not"),
    "a fixed count of rows": (net(batch=1), "fixed shape"),
    "more inputs than the spec": (net(inputs=5), "has the shape"),
    "scores": (net(1, "Identity"), "no probabilities"),
    "too many answers": (net(4, "Softmax"), "answers 4 numbers"),
    "weights elsewhere": (with_weights_elsewhere(net()), "another file"),
    "other operators": (
        save(
            [made.make_node("Mystery", ["x"], ["answers"], domain="com.example")],
            *ENDS,
            domains=["com.example"],
        ),
        "operators of com.example",
    ),
    "an old export": (save(one_node("Identity"), *ENDS, opset=7), "version 7"),
    "double inputs": (
        save(
            [made.make_node("Cast", ["x"], ["answers"], to=TensorProto.FLOAT)],
            [tensor("x", "n", 2, kind=TensorProto.DOUBLE)],
            [tensor("answers", "n", 2)],
        ),
        "neither float",
    ),
    "another width than it declares": (
        save(one_node("Identity"), [tensor("x", "n", 2)], ENDS[1], [weights("w", 3, 1)]),
        "does not answer|cannot be loaded",
    ),
    "NaN": (
        save([made.make_node("Sqrt", ["x"], ["y"]), *one_node("Identity")[1:]], *ENDS),
        "NaN",
    ),
    "chance": (
        save([made.make_node("RandomNormalLike", ["x"], ["y"]), *one_node("Identity")[1:]], *ENDS),
        "asked again",
    ),
    "a row that depends on others": (
        save([made.make_node("CumSum", ["x", "axis"], ["y"]), *one_node("Identity")[1:]],
             ENDS[0], ENDS[1],
             [weights("w", 2, 1), made.make_tensor("axis", TensorProto.INT64, [], [0])]),
        "rows beside it",
    ),
    "two answers": (
        save([*one_node("Identity"), made.make_node("Identity", ["z"], ["more"])],
             ENDS[0], [*ENDS[1], tensor("more", "n", 1)], ENDS[2]),
        "not exactly one",
    ),
    "other names": (
        save([made.make_node("Add", ["p", "q"], ["y"]), made.make_node("Sigmoid", ["y"], ["z"])],
             [tensor("p", "n", 1), tensor("q", "n", 1)], [tensor("z", "n", 1)]),
        "its inputs are p, q; the spec's are a, b",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_could_not_be_served_is_refused_in_words(tmp_path, name):
    data, why = BAD[name]
    with pytest.raises(SpecError, match=why) as error:
        read(tmp_path, data)
    assert error.value.at == ("candidates", "net", "onnx")
    assert error.value.remedy


def test_a_model_that_never_ends_is_stopped(tmp_path, monkeypatch):
    body = made.make_graph(
        [made.make_node("Identity", ["go"], ["on"]), made.make_node("Identity", ["c"], ["d"])],
        "body",
        [
            tensor("i", kind=TensorProto.INT64),
            tensor("go", kind=TensorProto.BOOL),
            tensor("c", "n", 2),
        ],
        [tensor("on", kind=TensorProto.BOOL), tensor("d", "n", 2)],
    )
    nodes = [made.make_node("Loop", ["", "true", "x"], ["y"], body=body), *one_node("Identity")[1:]]
    true = made.make_tensor("true", TensorProto.BOOL, [], [True])
    monkeypatch.setattr(finished, "_SECONDS", 0.3)
    with pytest.raises(SpecError, match=r"does not answer within 0\.3 s"):
        read(tmp_path, save(nodes, ENDS[0], ENDS[1], [*ENDS[2], true]))


def candidate(path="net.onnx"):
    return Candidate.model_validate({"name": "net", "onnx": path})


def test_a_file_that_is_not_there_or_elsewhere_or_too_large_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(SpecError, match="cannot be read"):
        finished.read_file(folder, candidate())
    (tmp_path / "other.onnx").write_bytes(net())
    (folder / "net.onnx").symlink_to(tmp_path / "other.onnx")
    with pytest.raises(SpecError, match="no file within"):
        finished.read_file(folder, candidate())
    (folder / "net.onnx").unlink()
    (folder / "net.onnx").write_bytes(net())
    monkeypatch.setattr(finished, "LARGEST", 10)
    with pytest.raises(SpecError, match="more than 10"):
        finished.read_file(folder, candidate())


def test_a_spec_knows_the_folder_that_its_finished_model_lies_in(tmp_path):
    (tmp_path / "net.onnx").write_bytes(net())
    found = candidate()
    found.locate(tmp_path)
    pipeline = build_pipeline(found, schema(), 0, {}).fit(FRAME, np.array([0, 1, 0]))
    assert pipeline.predict_proba(FRAME).shape == (3, 2)
