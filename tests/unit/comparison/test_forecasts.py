"""A forecast on the page of its retraining: by origin and over time, beside the seasonal naive."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest

from pipelines.comparison.forecast_plots import errors_by_origin, errors_over_time
from pipelines.comparison.page import render
from pipelines.comparison.retraining import compare_candidates
from pipelines.data.series import add_series_columns
from pipelines.messages import TrainResult
from pipelines.steps import gate
from pipelines.training.backtest import Origin, read_origins
from tests.series import hourly, sales_body, sales_spec
from tests.unit.steps.learning import RUN, learning

pytestmark = pytest.mark.heavy

DAYS = 14
CHANGES = {
    "batch": "day",
    "source": {"uri": "file:///data/sold.csv"},
    "train": {"window": "12 batches", "holdout": "2 batches", "folds": 3},
    "candidates": [
        {"name": "linear", "estimator": "sklearn.linear_model.LinearRegression"},
        {"name": "middle", "estimator": "sklearn.dummy.DummyRegressor"},
    ],
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    spec = sales_spec(**CHANGES)
    rows = add_series_columns(hourly(24 * DAYS), spec, "features.py")
    days = [rows.slice(24 * day, 24) for day in range(DAYS)]
    text = json.dumps(sales_body(**CHANGES))
    world = learning(tmp_path_factory.mktemp("forecast"), text, tables=days)
    trained = world.train_all()
    verdict = gate.run(world.context, world.gate_request(trained))
    return world, trained, compare_candidates(world.context, world.built, trained, verdict, RUN)


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def test_the_back_test_of_each_candidate_stands_on_the_page_as_in_mlflow(judged):
    world, trained, found = judged
    page, store = render(found), world.context.ports.store
    origins = read_origins(store, trained[0].backtest)
    assert len(origins) == 3
    assert found.candidates[0].origins == origins
    for origin in origins:
        row = f"{origin.origin} {origin.first} {origin.last} {origin.rows_learnt:,}"
        assert row in text_of(page)
        assert f"{origin.mae:.4g}" in text_of(page)
        assert f"{origin.naive_mae:.4g}" in text_of(page)
    assert 'aria-label="error by origin"' in page
    assert 'aria-label="error over time"' in page
    assert "beside the value of one season ago" in page
    files = world.context.ports.registry.runs[trained[0].run_id].artifacts
    table = next(data for name, data in files.items() if name.endswith("backtest.csv"))
    lines = list(csv.DictReader(table.decode().splitlines()))
    assert [float(line["mae"]) for line in lines] == pytest.approx([o.mae for o in origins])


def test_results_of_earlier_versions_have_no_back_test(judged):
    world, trained, found = judged
    earlier = trained[0].model_dump(mode="json")
    del earlier["backtest"]
    assert read_origins(world.context.ports.store, TrainResult(**earlier).backtest) == []
    assert errors_by_origin([]) == ""
    assert "this model" in render(found)


def test_errors_over_time_are_of_the_rows_whose_naive_is_known():
    times = np.datetime64("2024-01-01") + np.arange(40) * np.timedelta64(1, "h")
    truth, naive = np.zeros(40), np.full(40, 3.0)
    answers = np.where(np.arange(40) < 20, 100.0, 1.0)
    naive[:20] = np.nan
    drawn = errors_over_time(times[::-1], truth[::-1], answers[::-1], naive[::-1])
    assert "this model, 1 rows: 1<" in drawn
    assert "seasonal naive, 1 rows: 3<" in drawn
    assert "100" not in drawn.replace("-01-", "")
    assert errors_over_time(times, truth, answers, np.full(40, np.nan)) == ""


def test_errors_by_origin_say_which_line_is_whose():
    origins = [
        Origin(f"2024-01-0{i}", f"2024-01-0{i}T05", "", 10, 5, float(i), 2.0, None, 0)
        for i in (1, 2)
    ]
    drawn = errors_by_origin(origins)
    assert "this model, from 2024-01-01T05: 1<" in drawn
    assert "seasonal naive, from 2024-01-02T05: 2<" in drawn
