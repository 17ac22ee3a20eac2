"""A finished model goes the way of the others: scored, judged, packaged, served; never fitted."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from onnx import helper as made

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.bundle.rows import feed_from_table
from pipelines.data import labelled_rows
from pipelines.refs import sha256
from pipelines.science.metrics import score
from pipelines.steps import package
from pipelines.training.refits import Refits
from tests.snapshots import check, loans, make_snapshot
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


def late_payers():
    """Return a model over two inputs of the loans that knows who will not pay."""
    nodes = [
        made.make_node("LabelEncoder", ["region"], ["north"], domain="ai.onnx.ml",
                       keys_strings=["north"], values_floats=[1.0], default_float=0.0),
        made.make_node("Sum", ["late", "north", "less"], ["score"]),
        made.make_node("Sigmoid", ["score"], ["answers"]),
    ]  # fmt: skip
    constants = [made.make_tensor("less", TensorProto.FLOAT, [], [-2.5])]
    inputs = [tensor("late", "n", 1), tensor("region", "n", 1, kind=TensorProto.STRING)]
    graph = made.make_graph(nodes, "net", inputs, [tensor("answers", "n", 1)], constants)
    opsets = [made.make_opsetid("", 18), made.make_opsetid("ai.onnx.ml", 3)]
    return made.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def test_as_champion_it_is_judged_over_folds_as_it_is_and_never_fitted(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    (tmp_path / "models" / "loans" / "net.onnx").write_bytes(late_payers())
    world.respec("[income, late, region]", "[late, region]")
    linear = "{name: linear, estimator: sklearn.linear_model.LogisticRegression}"
    world.respec(linear, "{name: finished, onnx: net.onnx}")
    packaged = world.crown(loans(1_400))
    champion = open_bundle(world.ports.store, packaged.bundle)
    assert champion.manifest.settings.estimator == "onnx"

    world.later("r2")
    world.respec("{name: finished, onnx: net.onnx}", linear)
    built, trained, judged = world.judge(loans(80, first=1_400))
    assert "fitted again over all 80 rows" in check(judged, "rows")
    table = labelled_rows.whole_snapshot(world.context, built)
    refits = Refits(world.context, table, trained)
    feed = feed_from_table(champion.manifest.inputs.columns, table)
    p = champion.predictor.predict_feed(feed)[:, 0]
    found = refits.champion(champion.manifest)
    by_hand = [score("roc_auc", refits._rows.y[test], p[test]) for _, test in refits._cuts]
    np.testing.assert_allclose(found.by_metric["roc_auc"], by_hand)
    assert f"the champion's {np.mean(by_hand):.3f}" in check(judged, "versus champion")


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
