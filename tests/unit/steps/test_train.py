"""`train`: honest rows, honest folds, the same result again, and words where there is nothing to
learn."""

from __future__ import annotations

import io
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import skops.io

from pipelines.bundle.trusted import TRUSTED
from pipelines.data import labelled_rows
from pipelines.messages import TrainRequest
from pipelines.refs import canonical
from pipelines.spec.metrics import find_metric
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import train
from pipelines.training import estimators, predictions
from pipelines.training.search.space import Drawn
from pipelines.training.targets import targets
from tests.unit.steps.learning import (
    DAYS,
    FIRST,
    ROWS,
    RUN,
    learning,
    rows,
    spec_of_candidate,
    spec_text,
)
from tests.unit.training.usual import CASES


def test_a_candidate_is_trained_scored_and_recorded(tmp_path):
    world = learning(tmp_path)
    found = world.train("linear")
    assert found.rows_train + found.rows_holdout > ROWS * DAYS * 0.95
    assert found.metrics["roc_auc"] > 0.75
    assert found.cv_score > 0.75
    assert found.settings_tried == 1
    registry = world.context.ports.registry
    logged = registry.metrics(found.run_id)
    assert logged["holdout_roc_auc"] == found.metrics["roc_auc"]
    assert logged["cv_roc_auc"] == found.cv_score
    assert len(canonical(found)) < XCOM_LIMIT


def test_the_stored_model_and_predictions_are_those_of_the_held_out_rows(tmp_path):
    world = learning(tmp_path)
    spec, store = world.context.spec, world.context.ports.store
    found = world.train("linear")
    model = skops.io.loads(store.get(found.model), trusted=sorted(TRUSTED))
    split = labelled_rows.split(world.context, world.built)
    held = predictions.read(store, spec, found.predictions, split.holdout)
    from pipelines.bundle.rows import schema_of

    schema = schema_of(split.holdout, spec.features.inputs, spec.task, None)
    assert np.array_equal(
        estimators.answers(model, estimators.frame(schema, split.holdout), spec.task, None),
        held.score,
    )
    assert set(held.dummy) == {targets(split.train, spec, None).mean()}


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_the_other_tasks_are_learnt_too(tmp_path, task):
    world = learning(tmp_path, spec_text(task))
    baseline, found = world.train_all()
    metric = find_metric(world.context.spec.train.metric)
    assert not metric.greater_is_better
    assert found.cv_score < baseline.cv_score
    assert all(value is not None for value in found.metrics.values())


def test_the_same_request_changes_nothing_and_another_run_trains_anew(tmp_path):
    world = learning(tmp_path)
    assert world.train("linear") == world.train("linear")
    other = train.run(
        world.context, TrainRequest(run="other", candidate="linear", features=world.built)
    )
    assert other.run_id != world.train("linear").run_id
    assert other.metrics == world.train("linear").metrics


def test_labels_that_were_not_known_in_time_are_not_seen(tmp_path):
    world = learning(tmp_path, spec_text(known_after="12h"))
    split, spec = labelled_rows.split(world.context, world.built), world.context.spec
    day = np.timedelta64(1, "D")
    holdout_starts, as_of = (
        np.datetime64(FIRST.replace(tzinfo=None)) + 4 * day,
        np.datetime64(FIRST.replace(tzinfo=None)) + 6 * day,
    )
    half = np.timedelta64(12, "h")
    assert labelled_rows.times(split.train, spec).max() <= holdout_starts - half
    assert labelled_rows.times(split.holdout, spec).max() <= as_of - half
    assert labelled_rows.times(split.holdout, spec).min() >= holdout_starts
    everything, span = labelled_rows.rows_to_fit(world.context, world.built)
    assert (
        everything.num_rows > split.train.num_rows + split.holdout.num_rows
    )  # the refit may know what came before as_of
    assert (span.start, span.end) == (FIRST, FIRST + timedelta(days=DAYS))


def test_rows_of_the_future_and_without_a_label_are_not_seen(tmp_path):
    tables = [rows(d) for d in range(DAYS)]
    target = pc.if_else(
        pa.array(np.arange(ROWS) % 3 == 0), pa.scalar(None, pa.bool_()), tables[-1]["y"]
    )
    late = pa.array(
        [FIRST + timedelta(days=DAYS)] * 5 + tables[-1]["at"].to_pylist()[5:],
        pa.timestamp("us", tz="UTC"),
    )
    tables[-1] = tables[-1].set_column(8, "y", target).set_column(1, "at", late)
    world = learning(tmp_path, spec_text(known_after="0s"), tables=tables)
    held, _ = labelled_rows.holdout(world.context, world.built)
    assert held.num_rows == 2 * ROWS - len(set(range(0, ROWS, 3)) | set(range(5)))


def test_a_small_grid_is_searched_whole(tmp_path, caplog):
    caplog.set_level("INFO")
    world = learning(
        tmp_path,
        spec_of_candidate(
            "estimator: sklearn.linear_model.LogisticRegression, search: {C: [0.001, 1.0],"
            " fit_intercept: [true, false]}"
        ),
    )
    found = world.train("tried")
    assert found.settings_tried == 4
    assert found.params["C"] == 1.0
    assert "tried: fit 8 on" in caplog.text


def test_whole_numbers_that_become_the_same_in_float32_are_named_in_the_log(tmp_path, caplog):
    seconds = pa.array(range(1_700_000_000, 1_700_000_000 + ROWS))
    tables = [
        table.set_column(table.column_names.index("count"), "count", seconds)
        for table in map(rows, range(DAYS))
    ]
    learning(tmp_path, tables=tables).train("baseline")
    assert "beyond 16,777,216 of count become the same" in caplog.text


def test_a_large_space_is_drawn_from_by_seed_and_budget(tmp_path):
    space = "{C: {low: 0.01, high: 10, log: true}, max_iter: {low: 50, high: 90}}"
    line = f"estimator: sklearn.linear_model.LogisticRegression, budget: 3, search: {space}"
    found = learning(tmp_path, spec_of_candidate(line)).train("tried")
    again = learning(tmp_path, spec_of_candidate(line)).train("tried")
    assert found.settings_tried == 3
    assert found.params == again.params
    assert isinstance(found.params["max_iter"], int)
    assert 0.01 <= found.params["C"] <= 10


def test_a_draw_stays_within_its_bounds():
    rng = np.random.RandomState(0)
    for drawn in (
        Drawn(1, 3, log=False, whole=True),
        Drawn(1, 3, log=True, whole=True),
        Drawn(0.1, 0.2, log=True, whole=False),
    ):
        values = [drawn.rvs(rng) for _ in range(200)]
        assert min(values) >= drawn.low
        assert max(values) <= drawn.high
        assert len(set(values)) >= (3 if drawn.whole else 200)


def test_a_model_that_overflows_has_no_metrics_and_so_no_chance(tmp_path):
    tables = [rows(d, "regression") for d in range(DAYS)]
    tables = [t.set_column(8, "y", pc.exp(t["y"])) for t in tables]
    tables[-1] = tables[-1].set_column(3, "b", pa.array([1e30] * ROWS))
    text = spec_text(
        "regression",
        candidates="  - {name: poisson, estimator: sklearn.linear_model.PoissonRegressor}",
    )
    found = learning(tmp_path, text, tables=tables).train("poisson")
    assert set(found.metrics.values()) == {None}


@pytest.mark.parametrize(
    ("task", "estimator"),
    CASES,
)
def test_every_estimator_of_the_catalogue_learns(tmp_path, estimator, task):
    """With nulls, unseen categories and text.

    What is stored can be loaded by the loader's own list of types.
    """
    tables = [rows(d, task, count=60) for d in range(DAYS)]
    if "Poisson" in estimator:
        tables = [t.set_column(8, "y", pc.exp(t["y"])) for t in tables]
    params = (
        ", params: {n_estimators: 5}" if "Forest" in estimator or "ExtraTrees" in estimator else ""
    )
    params = ", params: {max_iter: 5}" if "MLP" in estimator or "Hist" in estimator else params
    leaf = "Ridge" if task == "regression" else "LogisticRegression"
    real = f"  - {{name: real, estimator: sklearn.linear_model.{leaf}}}\n"
    world = learning(
        tmp_path,
        spec_text(task, candidates=real + f"  - {{name: tried, estimator: {estimator}{params}}}"),
        tables=tables,
    )
    found = world.train("tried")
    assert found.cv_score is not None
    skops.io.loads(world.context.ports.store.get(found.model), trusted=sorted(TRUSTED))


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("binary", "LogisticRegression, search: {C: [0.1, 1.0]}"),
        ("multiclass", "LogisticRegression, search: {C: [0.1, 1.0]}"),
        ("regression", "Ridge, search: {alpha: [0.1, 1.0]}"),
    ],
)
def test_plots_and_the_table_of_settings_are_attached(tmp_path, task, line):
    world = learning(
        tmp_path,
        spec_text(task, candidates=f"  - {{name: tried, estimator: sklearn.linear_model.{line}}}"),
    )
    world = world.with_settings(plots=True)
    artifacts = world.context.ports.registry.runs[world.train("tried").run_id].artifacts
    assert set(artifacts) == {
        "search/settings.csv",
        "plots/holdout.png",
        "plots/importance.png",
        "plots/search.png",
    }
    assert all(
        data.startswith(b"\x89PNG") for name, data in artifacts.items() if name.endswith(".png")
    )


def test_no_plot_is_drawn_where_none_is_wanted(tmp_path):
    world = learning(tmp_path).with_settings(plots=False)
    artifacts = world.context.ports.registry.runs[world.train("linear").run_id].artifacts
    assert set(artifacts) == {"search/settings.csv"}


def test_predictions_of_other_rows_are_refused(tmp_path):
    world = learning(tmp_path)
    found = world.train("linear")
    held, _ = labelled_rows.holdout(world.context, world.built)
    store, spec = world.context.ports.store, world.context.spec
    assert pq.read_table(io.BytesIO(store.get(found.predictions))).num_rows == held.num_rows
    with pytest.raises(Exception, match="not of this run's held-out rows"):
        predictions.read(store, spec, found.predictions, held.take(np.arange(held.num_rows)[::-1]))


def test_the_run_says_where_it_comes_from(tmp_path):
    (tmp_path / "requirements.txt").write_text("numpy==2")
    world = learning(tmp_path)
    tags = world.context.ports.registry.runs[world.train("linear").run_id].tags
    assert tags["features_revision"] == world.built.version.revision
    assert tags["as_of"] == "2024-01-07T00:00:00Z"
    assert tags["git_commit"] == "unknown"
    assert len(tags["lock_sha256"]) == 64
    assert tags["seed"] == "3"
    assert tags["run"] == RUN
