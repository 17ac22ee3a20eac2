"""A finished model goes the way of the others: scored, judged, packaged, served; never fitted."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from onnx import helper as made

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.refs import sha256
from pipelines.steps import package
from tests.unit.steps.learning import learning, spec_of_candidate
from tests.unit.steps.packaging import package_request
from tests.unit.training.onnx.finished_models import tensor

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("one_thread")]


def mail_counts():
    """Return a model over a, b and the channel that knows what the test's rows are made of."""
    nodes = [
        made.make_node("LabelEncoder", ["channel"], ["mail"], domain="ai.onnx.ml",
                       keys_strings=["mail"], values_floats=[1.0], default_float=0.0),
        *[n for name in ("a", "b") for n in (
            made.make_node("IsNaN", [name], [f"no_{name}"]),
            made.make_node("Where", [f"no_{name}", "zero", name], [f"full_{name}"]))],
        made.make_node("Mul", ["full_b", "half"], ["some"]),
        made.make_node("Sum", ["full_a", "some", "mail", "less"], ["score"]),
        made.make_node("Sigmoid", ["score"], ["answers"]),
    ]  # fmt: skip
    constants = [
        made.make_tensor(name, TensorProto.FLOAT, [], [value])
        for name, value in (("zero", 0.0), ("half", 0.5), ("less", -0.3))
    ]
    inputs = [
        tensor("a", "n", 1),
        tensor("b", "n", 1),
        tensor("channel", "n", 1, kind=TensorProto.STRING),
    ]
    graph = made.make_graph(nodes, "net", inputs, [tensor("answers", "n", 1)], constants)
    opsets = [made.make_opsetid("", 18), made.make_opsetid("ai.onnx.ml", 3)]
    return made.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def test_it_is_scored_judged_packaged_and_served_and_its_hash_stands_in_the_run(tmp_path):
    text = spec_of_candidate("onnx: net.onnx")
    inputs = "[a, b, count, flag, channel, place]"
    world = learning(tmp_path, text.replace(inputs, "[a, b, channel]"))
    folder = world.context.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.onnx").write_bytes(mail_counts())
    for candidate in world.context.spec.candidates:
        candidate.locate(folder)
    request = package_request(world)
    trained = next(t for t in request.train if t.candidate == "tried")
    assert (trained.estimator, trained.params) == ("onnx", {})
    assert trained.metrics["roc_auc"] > 0.8
    run = world.context.ports.registry.runs[trained.run_id]
    assert run.tags["onnx_sha256"] == sha256(mail_counts())
    assert request.gate.candidate == "tried"

    result = package.run(world.context, request)
    assert (result.compiled, result.parity) == (True, 0.0)
    store = world.context.ports.store
    bundle = open_bundle(store, result.bundle)
    assert golden_differences(bundle) == []
    assert BundleManifest.model_validate_json(store.get(result.bundle)).settings.estimator == "onnx"
    (answer,) = bundle.predictor.predict([{"a": 1.0, "b": None, "channel": "mail"}])
    np.testing.assert_allclose(answer, 1 / (1 + np.exp(-1.7)), rtol=1e-6)


def test_another_file_is_another_code(tmp_path):
    world = learning(tmp_path, spec_of_candidate("onnx: net.onnx"))
    folder = world.context.folder
    folder.mkdir(parents=True, exist_ok=True)
    hashes = set()
    for data in (b"one", b"two"):
        (folder / "net.onnx").write_bytes(data)
        world.context.__dict__.pop("code", None)
        hashes.add(world.context.code)
    assert len(hashes) == 2
