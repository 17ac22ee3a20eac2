"""The opponent without a model, and the back-test by rolling origin."""

import csv

import numpy as np
import pyarrow as pa
import pytest

from pipelines.data.series import add_series_columns
from pipelines.training.backtest import back_test, in_words, write
from pipelines.training.folds import search_folds
from pipelines.training.naive import mean_scaled_error, seasonal_naive, stand_in
from pipelines.training.search.result import OutOfFold
from tests.series import hourly, sales_spec

SPEC = sales_spec()
ROWS = add_series_columns(hourly(240, gap=range(50, 60)), SPEC, "features.py")
Y = ROWS["sold"].to_numpy()


def out_of_fold(answer):
    """Return what a model answered over the folds of the rows."""
    folds = search_folds(SPEC, ROWS, Y)
    places = np.concatenate([test for _, test in folds])
    numbers = np.concatenate([np.full(len(test), i) for i, (_, test) in enumerate(folds)])
    return folds, OutOfFold(places, answer(places), numbers)


def test_the_opponent_repeats_the_value_of_one_season_ago():
    naive = seasonal_naive(ROWS, SPEC)
    by_time = dict(zip(ROWS["at"].to_pylist(), Y, strict=True))
    season = SPEC.forecast.season
    assert naive[100] == by_time[ROWS["at"][100].as_py() - season]
    unknown = np.isnan(naive)
    assert unknown.sum() == 24 + 10
    answers = stand_in(ROWS, SPEC, Y, None)
    assert (answers[~unknown] == naive[~unknown]).all()
    assert (answers[unknown] == np.median(Y)).all(), "the best constant by mae"


def test_other_tasks_have_the_best_constant():
    plain = sales_spec(task="regression", forecast=None)
    assert seasonal_naive(ROWS, plain) is None
    assert set(stand_in(ROWS, plain, Y, None)) == {np.median(Y)}


def test_folds_leave_a_gap_of_the_horizon_before_each_origin():
    for train, test in search_folds(SPEC, ROWS, Y):
        times = ROWS["at"].to_numpy()
        gap = times[test].min() - times[train].max()
        assert gap >= np.timedelta64(SPEC.horizon + SPEC.target.known_after)


def test_each_origin_has_its_errors_beside_the_naive_ones(tmp_path):
    folds, answered = out_of_fold(lambda places: Y[places] + 0.5)
    origins = back_test(SPEC, ROWS, Y, answered)
    assert [o.rows_judged for o in origins] == [len(test) for _, test in folds]
    assert [o.rows_learnt for o in origins] == [len(train) for train, _ in folds]
    assert all(o.origin < o.first < o.last for o in origins)
    assert [o.mae for o in origins] == pytest.approx([0.5] * 3)
    train, test = folds[1]
    naive = seasonal_naive(ROWS, SPEC)
    assert origins[1].naive_mae == pytest.approx(np.abs(Y[test] - naive[test]).mean())
    known = ~np.isnan(naive[train])
    scale = np.abs(Y[train] - naive[train])[known].mean()
    assert origins[1].mase == pytest.approx(0.5 / scale)
    assert origins[0].naive_unknown + origins[1].naive_unknown + origins[2].naive_unknown == (
        np.isnan(naive[answered.positions]).sum()
    )
    assert "from 3 of 3 origins" in in_words(origins)
    table, plot = write(tmp_path, origins)
    lines = list(csv.DictReader(table.read_text().splitlines()))
    assert [float(line["mae"]) for line in lines] == pytest.approx([0.5] * 3)
    assert plot.stat().st_size > 1_000


def test_the_scaled_error_has_no_value_without_a_naive_error():
    nothing = np.full(4, np.nan)
    assert mean_scaled_error(np.ones(3), np.zeros(3), np.ones(4), nothing) is None
    assert mean_scaled_error(np.ones(3), np.zeros(3), np.ones(4), np.ones(4)) is None
    assert mean_scaled_error(np.ones(3), np.zeros(3), np.ones(4), np.full(4, 3.0)) == 0.5


def test_two_series_are_each_judged_by_their_own_season():
    spec = sales_spec(key=["shop", "at"], forecast={"series": ["shop"]})
    rows = pa.concat_tables(
        hourly(60, seed=seed).append_column("shop", pa.array([shop] * 60))
        for seed, shop in ((1, "a"), (2, "b"))
    )
    naive = seasonal_naive(add_series_columns(rows, spec, "features.py"), spec)
    assert naive[60 + 30] == rows["sold"][60 + 6].as_py()
