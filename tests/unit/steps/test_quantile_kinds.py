"""Own pipelines, votes and finished models of quantiles through training, gate and packaging."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from onnx import TensorProto
from onnx import helper as made

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.data import labelled_rows
from pipelines.errors import BadData
from pipelines.store.pages import find_page
from pipelines.training.refits import Refits
from tests.snapshots import check
from tests.unit.steps.test_quantiles import make_quantiles, waits
from tests.unit.training.onnx.finished_models import tensor

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("one_thread")]

LINEAR = "  - {name: linear, estimator: sklearn.linear_model.Ridge}"
OWN = "  - {name: own, pipeline: make}"
VOTE = f"""{LINEAR}
  - {{name: trees, estimator: lightgbm.LGBMRegressor, params: {{n_estimators: 10}}}}
  - {{name: both, vote: {{linear: 2, trees: 1}}}}"""
NET = "  - {name: net, onnx: net.onnx}"
MODEL = """
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import QuantileRegressor
from sklearn.pipeline import Pipeline


def make(level):
    columns = ColumnTransformer([("late", "passthrough", ["late"])])
    return Pipeline([("columns", columns), ("line", QuantileRegressor(quantile=level, alpha=0))])
"""


def net():
    """Return a finished model that answers with late - 1, late and late + 1."""
    nodes = [made.make_node("Add", ["late", "around"], ["answers"])]
    around = made.make_tensor("around", TensorProto.FLOAT, [1, 3], [-1.0, 0.0, 1.0])
    graph = made.make_graph(
        nodes, "net", [tensor("late", "n", 1)], [tensor("answers", "n", 3)], [around]
    )
    opsets = [made.make_opsetid("", 18)]
    return made.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.fixture
def world(tmp_path, ports):
    world = make_quantiles(tmp_path, ports)
    folder = tmp_path / "models" / "loans"
    (folder / "model.py").write_text(MODEL)
    (folder / "net.onnx").write_bytes(net())
    return world


@pytest.mark.parametrize(("kind", "name"), [(OWN, "own"), (VOTE, "both"), (NET, "net")])
def test_it_is_promoted_with_its_promise_and_packed_with_its_levels(
    world, ports, caplog, kind, name
):
    if kind == NET:
        world.respec("inputs: [income, late, region]", "inputs: [late]")
    world.respec(LINEAR, kind)
    world.comparison_seconds = 1
    with caplog.at_level(logging.WARNING):
        built, trained, judged = world.judge(waits(700))
    assert "could not be made" not in caplog.text, "curve, importance, attribution, errors"
    page = find_page(ports.store, model="loans", kind="comparison", run="r1").decode()
    assert f"<h2>{name} <small>" in page
    tried = next(t for t in trained if t.candidate == name)
    assert set(tried.metrics) >= {"pinball", "coverage", "width", "interval_score"}
    assert tried.metrics["coverage"] > 0.7
    assert "does not disprove the promised 0.8" in check(judged, "promise")
    if judged.candidate != name:
        judged = judged.model_copy(update={"candidate": name})
    packaged = world.package(built, trained, judged)
    assert packaged.compiled, packaged.why_native
    bundle = open_bundle(ports.store, packaged.bundle)
    assert bundle.manifest.settings.corrected_on == 0.3
    assert golden_differences(bundle) == []
    (answer,) = bundle.predictor.predict([{"income": 1.0, "late": 2, "region": "east"}])
    assert (np.diff(answer) > 0).all()
    table, _ = labelled_rows.rows_to_fit(world.context, built)
    refits = Refits(world.context, table, [tried])
    refits._cuts = refits._cuts[:1]
    assert refits.champion(bundle.manifest).means["coverage"] > 0.7


def test_a_finished_champion_is_compared_at_the_levels_that_are_asked_for_now(world):
    world.respec("inputs: [income, late, region]", "inputs: [late]")
    world.respec(LINEAR, NET)
    built, trained, judged = world.judge(waits(700))
    packaged = world.package(built, trained, judged)
    manifest = open_bundle(world.ports.store, packaged.bundle).manifest
    world.respec("levels: [0.1, 0.5, 0.9]", "levels: [0.1, 0.5]")
    table, _ = labelled_rows.rows_to_fit(world.context, built)
    refits = Refits(world.context, table, trained)
    refits._cuts = refits._cuts[:1]
    assert refits.champion(manifest).means["coverage"] == pytest.approx(0.4, abs=0.15)
    world.respec("levels: [0.1, 0.5]", "levels: [0.05, 0.5]")
    with pytest.raises(BadData, match=r"it answers at the levels 0\.1, 0\.5, 0\.9 only"):
        Refits(world.context, table, trained).champion(manifest)
