"""A run goes on where its early folds lack an input, a class or a metric."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.errors import BadData
from pipelines.messages import PackageRequest
from pipelines.steps import gate, package
from tests.unit.steps.learning import DAYS, ROWS, RUN, learning, rows, spec_text


def _late(day, column="b", task="binary"):
    """A day's features in which the column has values from the fourth day on."""
    table = rows(day, task)
    if day >= 3:
        return table
    at = table.column_names.index(column)
    return table.set_column(at, column, pa.nulls(ROWS, table.schema.field(column).type))


def _tried(task="binary", name="HistGradientBoosting", params="{max_iter: 5}"):
    leaf = f"{name}{'Regressor' if task == 'regression' else 'Classifier'}"
    return spec_text(
        task,
        candidates=f"  - {{name: tried, estimator: sklearn.ensemble.{leaf}, params: {params}}}",
    )


@pytest.mark.parametrize(
    ("task", "column"), [("binary", "b"), ("multiclass", "place"), ("regression", "b")]
)
def test_a_run_goes_on_with_an_input_that_begins_late(tmp_path, caplog, column, task):
    world = learning(tmp_path, _tried(task), tables=[_late(d, column, task) for d in range(DAYS)])
    assert world.train("tried").cv_score is not None
    assert f"tried: {column} has no value in the" in caplog.text


@pytest.mark.parametrize("kind", [pa.string(), pa.null(), pa.bool_()], ids=str)
def test_an_input_that_never_has_a_value_is_packaged_as_a_constant(tmp_path, kind):
    tables = [rows(d).set_column(3, "b", pa.nulls(ROWS, kind)) for d in range(DAYS)]
    world = learning(tmp_path, _tried(), tables=tables)
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained))
    found = package.run(
        world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=judged)
    )
    bundle = open_bundle(world.context.ports.store, found.bundle)
    assert found.compiled, found.why_native
    assert golden_differences(bundle) == []
    row = bundle.golden.rows[0]
    value = {"string": "x", "boolean": True}.get(bundle.manifest.inputs.columns[1].kind, 1)
    assert (
        bundle.predictor.predict([{**row, "b": value}]).tolist()
        == bundle.predictor.predict([{**row, "b": None}]).tolist()
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.float64()], ids=str)
def test_an_input_without_a_type_has_that_of_the_held_out_rows(tmp_path, kind):
    later = (
        pa.array(["u", "v"] * (ROWS // 2)) if kind == pa.string() else pa.array(np.arange(ROWS) / 2)
    )
    tables = [
        rows(d).set_column(3, "b", later if d >= DAYS - 2 else pa.nulls(ROWS)) for d in range(DAYS)
    ]
    world = learning(tmp_path, _tried(), tables=tables)
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained))
    found = package.run(
        world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=judged)
    )
    inputs = open_bundle(world.context.ports.store, found.bundle).manifest.inputs.columns
    assert inputs[1].kind == ("string" if kind == pa.string() else "number")


def test_a_class_that_an_early_fold_lacks_is_learnt_later(tmp_path):
    tables = [rows(d, "multiclass") for d in range(DAYS)]
    only = [
        pa.array(["high" if v == "middle" else v for v in t["y"].to_pylist()]) for t in tables[:2]
    ]
    tables[:2] = [t.set_column(8, "y", y) for t, y in zip(tables[:2], only, strict=True)]
    assert (
        learning(tmp_path, _tried("multiclass"), tables=tables).train("tried").cv_score is not None
    )


@pytest.mark.parametrize("metric", ["r2", "wape"])
def test_a_fold_on_which_the_metric_is_not_defined_is_left_out(tmp_path, caplog, metric):
    """A metric that is NaN in one fold would leave the candidate without a score."""
    tables = [rows(d, "regression") for d in range(DAYS)]
    text = (
        _tried("regression")
        .replace("metric: rmse, seed", f"metric: {metric}, seed")
        .replace("folds: 2", "folds: 3")
    )
    for day, first in (
        (0, ROWS - 10),
        (1, 0),
    ):  # the second span of four begins before the first day ends
        y = np.where(np.arange(ROWS) < first, tables[day]["y"].to_numpy(), 0.0)
        tables[day] = tables[day].set_column(8, "y", pa.array(y))
    found = learning(tmp_path, text, tables=tables).train("tried")
    assert found.cv_score is not None
    assert "1 of 3 folds" in caplog.text


def test_where_no_fold_can_judge_it_is_said_in_words(tmp_path):
    tables = [rows(d).set_column(8, "y", pa.array([d >= 3] * ROWS)) for d in range(DAYS)]
    with pytest.raises(BadData, match="In every fold y has one value only"):
        learning(tmp_path, _tried(), tables=tables).train("tried")
