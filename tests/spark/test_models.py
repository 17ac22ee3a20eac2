"""Each model of the repository: DuckDB's features to the byte, and its findings, by Spark."""

from __future__ import annotations

import pytest

from pipelines.spark.place import spark_of
from pipelines.spark.session import end_sessions
from pipelines.spec.resources import Resources
from pipelines.user_code.worker import end_children
from pipelines.watch.window_rows import sample_table
from tests.conftest import ROOT
from tests.examples.reviews import fetch_reviews
from tests.spark.models import ingested

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

MODELS = sorted(
    path.parent.name
    for folder in ("models", "examples")
    for path in (ROOT / folder).glob("*/model.yaml")
)

JUDGED = {"flight_delays", "odd_cells", "reviews"}
"""Models whose suites are enough to see it here; on a cluster all are judged."""


@pytest.fixture(autouse=True)
def _data(real_data, monkeypatch, tmp_path, request):
    hotel, metro = real_data / "hotel_bookings", real_data / "metro_traffic"
    monkeypatch.setenv("BIKE_SHARING", str(real_data / "bike_sharing" / "hour.csv"))
    monkeypatch.setenv("HOTEL_BOOKINGS", str(hotel / "hotel_bookings.csv.zip"))
    monkeypatch.setenv("METRO_TRAFFIC", str(metro / "Metro_Interstate_Traffic_Volume.csv"))
    if "reviews" in request.node.name:
        monkeypatch.setenv("REVIEWS", str(fetch_reviews(tmp_path)))


@pytest.fixture
def _free_workers():
    """Own code's process holds the workers until it ends, as that of a step does."""
    yield
    end_children()


def on(place):
    """The settings that let Spark compute."""
    return {
        "engine": "spark",
        "spark_master": place.master,
        "spark_python": place.python,
        "spark_conf": ";".join(f"{key}={value}" for key, value in place.conf.items()),
    }


def compare(name, home, place, *, findings):
    """Build the newest batch's features with both engines, and judge it."""
    model = ingested(name, home)
    if findings:
        judged = model.judge()
        assert model.judge(**on(place)) == judged
        assert judged.findings
        if not place.is_local:
            end_sessions()  # it holds the workers, as `validate` does until its end
    by_duckdb = model.build(home / "duckdb", batches=1)
    by_spark = model.build(home / "spark", batches=1, **on(place))
    assert [b.engine for b in by_duckdb] == ["duckdb"]
    assert [b.engine for b in by_spark] == ["spark 4.0.5"]
    for one, other in zip(by_duckdb, by_spark, strict=True):
        assert one.rows == other.rows > 0
        assert one.path.read_bytes() == other.path.read_bytes()
    return model


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_same_features_on_spark(name, tmp_path, local_place):
    compare(name, tmp_path / "home", local_place, findings=name in JUDGED)


@pytest.mark.cluster
@pytest.mark.usefixtures("_free_workers")
@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_same_findings_and_features_on_two_workers(name, tmp_path, cluster):
    compare(name, tmp_path / "home", cluster.place(), findings=True)
    assert cluster.executors(), "they have been used"


def test_a_window_has_the_same_rows_on_spark(tmp_path, local_place, caplog):
    model = ingested("bike_days", tmp_path / "home")
    caplog.set_level("INFO", "perennial")
    here = sample_table(model.context, model.plan)
    there = sample_table(model.changed(**on(local_place)), model.plan)
    assert there.rows.equals(here.rows)
    assert there.of == here.of == here.rows.num_rows > 0
    assert "the window's rows: built by spark 4.0.5" in caplog.text


def test_a_step_stays_where_the_spec_leaves_it(tmp_path, local_place):
    model = ingested("iris", tmp_path / "home")
    engines = Resources(engines={"validate": "duckdb"})
    spec = model.context.spec.model_copy(update={"resources": engines})
    settings = model.context.settings.replace(**on(local_place))
    assert spark_of(spec.resources, settings, "validate") is None
    assert spark_of(spec.resources, settings, "drift") == local_place
