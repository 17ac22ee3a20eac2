"""What a spec may say of a forecast, and what it is told where it looks ahead."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from pipelines.errors import SpecError
from pipelines.spec import load_spec
from tests.series import sales_body, sales_spec


def problems(**changes):
    """Return what is wrong with the spec, as text."""
    with pytest.raises(ValidationError) as caught:
        sales_spec(**changes)
    return str(caught.value)


def test_made_columns_are_inputs_behind_the_built_ones():
    spec = sales_spec()
    assert spec.inputs == [
        "open", "sold_lag_6h", "sold_lag_1d", "sold_mean_12h", "at_hour", "at_weekday",
    ]  # fmt: skip
    assert spec.built_columns == ["at", "open", "sold"]
    assert spec.feature_columns == ["at", *spec.inputs, "sold"]
    assert spec.series.naive == "sold_lag_1d"


def test_raw_rows_reach_back_as_far_as_the_oldest_step_that_is_seen():
    assert sales_spec().lookback == timedelta(hours=24)
    longer = sales_spec(forecast={"means": ["48h"]})
    assert longer.lookback == timedelta(hours=6 + 48 - 1)
    own = sales_spec(features={"lookback": "9d"})
    assert own.lookback == timedelta(days=9)


def test_the_naive_season_is_the_newest_that_is_known_at_the_horizon():
    spec = sales_spec(forecast={"season": "4h", "lags": []})
    assert spec.series.naive == "sold_lag_8h"
    assert spec.inputs[1] == "sold_lag_8h"


def test_inputs_may_all_be_made():
    assert sales_spec(features={"inputs": []}).inputs[0] == "sold_lag_6h"
    said = problems(task="regression", features={"inputs": []}, forecast=None)
    assert "names no input" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"forecast": {"lags": ["6h", "5h"]}}, "forecast.lags.1: looks 5h back, but a forecast"),
        ({"forecast": {"lags": ["5h"]}, "target": {"known_after": "0s"}}, ""),
        ({"forecast": {"lags": ["90m"]}}, "forecast.lags.0: 90m is no whole number of steps of 1h"),
        ({"forecast": {"horizon": "0s"}}, "forecast.horizon: 0s is no whole number of steps"),
        ({"forecast": {"season": "30m"}}, "forecast.season: 30m is no whole number of steps"),
        ({"forecast": {"means": ["1h"]}}, "forecast.means.0: a mean takes in from 2 to 10,000"),
        ({"forecast": {"lags": ["24h", "1d"]}}, "forecast.lags.1: stands twice"),
        ({"forecast": {"series": ["shop"]}}, "key: lacks shop; a row of a forecast is named by"),
        ({"key": ["at", "till"]}, "key: holds till, so that one step of a series may have several"),
        ({"key": "row"}, "key: lacks at"),
        ({"forecast": {"series": ["at"]}}, "forecast.series.0: 'at' is the event time"),
        ({"forecast": None}, "forecast: a forecast needs it"),
        ({"task": "regression"}, "forecast: belongs to the task forecast, this one is regression"),
        ({"event_time": None}, "event_time: a forecast needs it"),
        ({"features": {"inputs": ["sold_lag_6h"]}}, "makes the column 'sold_lag_6h', which"),
    ],
)  # fmt: skip
def test_a_conflict_is_named_with_its_place(changes, words):
    if not words:
        assert sales_spec(**changes).series.gap == 5
    else:
        assert words in problems(**changes)


def test_a_series_without_a_step_is_refused():
    body = sales_body()
    del body["forecast"]["step"]
    with pytest.raises(ValidationError, match=r"forecast.step\n  Field required"):
        type(sales_spec()).model_validate(body)


def test_a_lag_that_looks_ahead_is_refused_with_its_line(tmp_path):
    folder = tmp_path / "sales"
    folder.mkdir()
    (folder / "features.py").write_text("def build(tables):\n    return tables['events']\n")
    lines = [
        "name: sales", "owner: shop", "description: How much is sold?", "task: forecast",
        "source: {kind: files, uri: 'file:///data/{start:%Y}.csv', first: 2024-01-01}",
        "batch: month", "event_time: at", "key: [at]",
        "target: {column: sold, known_after: 1h}", "features: {inputs: [open]}",
        "forecast:", "  step: 1h", "  horizon: 24h", "  season: 168h", "  lags: [24h]",
        "train: {metric: mae}",
        "candidates: [{name: a, estimator: sklearn.linear_model.Ridge}]",
        "gate: {at_most: {mae: 9}, versus_champion: {metric: mae, confidence: 0.95}}",
    ]  # fmt: skip
    (folder / "model.yaml").write_text("\n".join(lines))
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path, "sales")
    assert "model.yaml:15" in str(caught.value)
    assert "can see nothing closer than 25h" in str(caught.value)


def test_a_candidate_may_name_a_made_column():
    candidate = {
        "name": "boosted",
        "estimator": "sklearn.ensemble.HistGradientBoostingRegressor",
        "params": {"monotonic_cst": {"sold_lag_1d": 1}},
    }
    assert sales_spec(candidates=[candidate]).candidates[0].name == "boosted"
