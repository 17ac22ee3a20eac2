"""Each worked example goes through the loop on real data, up to a bundle that answers."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from pipelines.bundle.load import golden_differences
from pipelines.bundle.rows import rows_from_table
from pipelines.data import labelled_rows
from pipelines.intervals import iso
from serving.history import SeriesDecoder
from tests.examples.loop import copy, live, watch
from tests.examples.reviews import fetch_reviews

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


@pytest.fixture
def reviews_archive(tmp_path):
    """The archive of the reviews."""
    return fetch_reviews(tmp_path)


def test_iris_is_judged_over_folds_and_compiled(tmp_path):
    run = live(copy("iris", tmp_path / "home"))
    assert run.judged.candidate in {"linear", "forest"}
    assert run.packaged.compiled
    assert golden_differences(run.bundle) == []
    assert run.bundle.manifest.inputs.classes == ["setosa", "versicolor", "virginica"]


def test_bookings_are_judged_in_euros(tmp_path, real_data, monkeypatch):
    archive = real_data / "hotel_bookings" / "hotel_bookings.csv.zip"
    monkeypatch.setenv("HOTEL_BOOKINGS", str(archive))
    run = live(copy("hotel_bookings", tmp_path / "home"), as_of="2016-01-01T00:00:00Z")
    assert run.judged.candidate == "boosted"
    assert run.packaged.compiled, run.packaged.why_native
    assert golden_differences(run.bundle) == []
    threshold = run.bundle.manifest.threshold
    assert threshold.chosen_for == "cost"
    assert threshold.value > 0.5, "a guest without a room costs more than an empty room"
    assert np.isfinite(run.judged.metrics["cost"])


def test_days_are_told_apart_by_their_hours(tmp_path, real_data, monkeypatch):
    monkeypatch.setenv("BIKE_SHARING", str(real_data / "bike_sharing" / "hour.csv"))
    run = live(copy("bike_days", tmp_path / "home"), as_of="2011-10-01T00:00:00Z")
    assert run.judged.metrics["silhouette"] > 0.5
    assert run.packaged.compiled, run.packaged.why_native
    assert golden_differences(run.bundle) == []
    work = {"night": 0.04, "morning": 0.21, "midday": 0.2, "evening": 0.27, "casual": 0.1}
    leisure = {"night": 0.11, "morning": 0.07, "midday": 0.4, "evening": 0.19, "casual": 0.33}
    answers = run.bundle.predictor.predict([work, leisure, work])
    assert answers[0].argmax() == answers[2].argmax() != answers[1].argmax()


def test_reviews_are_read_by_their_words(tmp_path, reviews_archive, monkeypatch):
    monkeypatch.setenv("REVIEWS", str(reviews_archive))
    run = live(copy("reviews", tmp_path / "home"))
    assert run.judged.metrics["roc_auc"] > 0.7
    assert run.packaged.compiled, run.packaged.why_native
    assert golden_differences(run.bundle) == []
    [praise, blame] = run.bundle.predictor.predict(
        [{"text": "a wonderful, moving film"}, {"text": "boring and bad"}]
    )[:, 0]
    assert praise > 0.7
    assert blame < 0.4


def test_bikes_have_intervals_whose_coverage_is_checked_and_watched(
    tmp_path, real_data, monkeypatch
):
    monkeypatch.setenv("BIKE_SHARING", str(real_data / "bike_sharing" / "hour.csv"))
    run = live(copy("bike_range", tmp_path / "home"), as_of="2012-02-01T00:00:00Z")
    details = {check.name: check.detail for check in run.judged.checks}
    assert "does not disprove the promised 0.9" in details["promise"]
    assert 0.8 < run.judged.metrics["coverage"] < 1
    assert run.packaged.compiled, run.packaged.why_native
    assert golden_differences(run.bundle) == []
    assert run.bundle.manifest.inputs.answer_names == ["0.05", "0.25", "0.5", "0.75", "0.95"]
    looked = watch(run, window_end="2012-03-01T00:00:00Z")
    assert (looked.source, looked.metric) == ("batches", "pinball")
    assert looked.labelled > 600
    assert looked.expected == run.judged.metrics["pinball"]
    assert looked.live > 0


def test_traffic_is_forecast_a_day_ahead_and_asked_with_its_history(
    tmp_path, real_data, monkeypatch
):
    file = real_data / "metro_traffic" / "Metro_Interstate_Traffic_Volume.csv"
    monkeypatch.setenv("METRO_TRAFFIC", str(file))
    run = live(copy("metro_traffic", tmp_path / "home"), as_of="2016-08-01T00:00:00Z")
    assert run.judged.candidate == "boosted"
    checks = {c.name: c.detail for c in run.judged.checks}
    assert "is better than the seasonal naive's" in checks["versus seasonal naive"]
    assert run.packaged.compiled, run.packaged.why_native
    assert golden_differences(run.bundle) == []
    schema, spec = run.bundle.manifest.inputs, run.context.spec
    assert schema.series == spec.series

    rows, _ = labelled_rows.holdout(run.context, run.built)
    known = dict(zip(rows["hour"].to_pylist(), rows["traffic_volume"].to_pylist(), strict=True))
    asked = rows.slice(rows.num_rows - 24)
    times = asked["hour"].to_pylist()
    first, last = times[0] - spec.lookback, times[0] - timedelta(hours=2)
    hours = int((last - first) / timedelta(hours=1)) + 1
    body = {
        "rows": asked.select(spec.features.inputs).to_pylist(),
        "event_times": [iso(t) for t in times],
        "history": [
            [iso(t), known.get(t)] for t in (first + timedelta(hours=i) for i in range(hours))
        ],
    }
    request = SeriesDecoder(schema, schema.series, 100).decode(json.dumps(body).encode())
    online = [dict(zip(spec.inputs, row, strict=True)) for row in request.rows]
    assert online == rows_from_table(schema.columns, asked), "the server's rows are the built ones"
    answers = run.bundle.predictor.predict_values(request.rows)[:, 0]
    error = np.abs(answers - asked["traffic_volume"].to_numpy()).mean()
    assert error < 0.3 * asked["traffic_volume"].to_numpy().mean()

    found = watch(run, window_end="2016-09-01T00:00:00Z")
    figures = json.loads(run.context.ports.store.get(found.figures))["facts"]
    missing = {c["name"]: c["missing"] for c in figures["columns"]}
    assert missing["traffic_volume_lag_2w"] == 0, "the window's lags come from earlier batches"
    assert "hour_hour" not in missing
    assert found.labelled == found.rows
    assert "the truth on the mean" in " ".join(figures["notes"])


def test_odd_cells_are_found_at_the_promised_rate(tmp_path):
    run = live(copy("odd_cells", tmp_path / "home"))
    assert run.packaged.compiled, run.packaged.why_native
    assert golden_differences(run.bundle) == []
    threshold = run.bundle.manifest.threshold
    assert threshold.rate == 0.05
    assert threshold.rows == run.trained[0].rows_train
    assert run.judged.metrics["roc_auc"] > 0.75, "malignant cells look strange"
    assert any("nothing is proven" in check.detail for check in run.judged.checks)
