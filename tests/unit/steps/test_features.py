from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from pipelines.context import Context
from pipelines.data import feature_rows
from pipelines.data.plan_types import PlanTypes
from pipelines.errors import BadData, SpecError
from pipelines.intervals import Interval
from pipelines.messages import FeaturesRequest, IngestRequest, ValidateRequest
from pipelines.settings import load_settings
from pipelines.steps import features, ingest, validate
from pipelines.tables import from_parquet, normalise
from tests.series import sales_spec
from tests.worlds import FIRST, ROWS, as_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(world, ports):
    def build_as_of(day=5, run="r", **conf):
        context = world.context(ports)
        ingested = ingest.run(
            context, IngestRequest(run=run, now=NOW, conf={"as_of": as_of(day), **conf})
        )
        validated = validate.run(context, ValidateRequest(run=run, ingest=ingested))
        return features.run(context, FeaturesRequest(run=run, ingest=ingested, validate=validated))

    return build_as_of


def rows_of(ports, features, name):
    [path] = ports.versions.fetch("sales", features.version, [name])
    return from_parquet(path)


def test_one_file_per_batch_with_key_time_inputs_and_target(run, ports):
    features = run()
    assert (features.rebuilt, features.reused, features.rows) == (5, 0, 5 * ROWS)
    table = rows_of(ports, features, "2024-01-02T00")
    assert table.column_names == ["visit", "at", "pages", "minutes", "channel", "trend", "bought"]
    assert ports.versions.files("sales", features.version.revision)["2024-01-02T00"].rows == ROWS


def test_the_same_again_is_the_same_version(run):
    first, again = run(), run(run="r2")
    assert again.version == first.version
    assert (again.rebuilt, again.reused) == (0, 5)


def test_late_rows_rebuild_what_they_reach_and_nothing_else(run, world, ports):
    before = run()
    files = ports.versions.files("sales")
    world.rewrite(
        1, pd.concat([world.frame(1), world.frame(1).iloc[:2].assign(visit=["late-1", "late-2"])])
    )
    after = run()
    changed = {n for n, f in ports.versions.files("sales").items() if f != files[n]}
    # The lookback is a day: the second day's rows reach the features of the second and the third.
    assert changed == {"2024-01-02T00", "2024-01-03T00"}
    assert (after.rebuilt, after.reused) == (2, 3)
    assert ports.versions.files("sales", before.version.revision) == files


def test_other_code_rebuilds_everything(run, world):
    run()
    path = world.home / "models" / "sales" / "features.py"
    path.write_text(path.read_text() + "\n# another thought\n")
    assert run().rebuilt == 5


def test_force_builds_again_and_finds_the_same(run):
    first = run()
    forced = run(force=True)
    assert (forced.rebuilt, forced.version) == (5, first.version)


def test_a_row_built_from_what_was_known_at_its_time_is_the_row_built_later(run, world, ports):
    """Online equals offline, bit for bit: no feature looks ahead."""
    context = world.context(ports)
    offline = {r["visit"]: r for r in rows_of(ports, run(), "2024-01-03T00").to_pylist()}
    raw = pd.concat([world.frame(1), world.frame(2)])
    raw["at"] = pd.to_datetime(raw["at"], utc=True)
    for visit in ["2-10", "2-120", "2-239"]:
        now = raw.loc[raw["visit"] == visit, "at"].iloc[0]
        raw_then = raw[raw["at"] <= now].copy()
        unknown = raw_then["at"] > now - timedelta(hours=1)
        raw_then["bought"] = raw_then["bought"].astype("Int64").mask(unknown)
        interval = Interval(start=FIRST + timedelta(days=2), end=FIRST + timedelta(days=3))
        online = feature_rows.build_rows(
            context.folder, context.spec, {"events": normalise(raw_then)}, interval
        ).to_pylist()
        [row] = [r for r in online if r["visit"] == visit]
        inputs = context.spec.features.inputs
        assert {c: row[c] for c in inputs} == {c: offline[visit][c] for c in inputs}


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        pytest.param(
            '"channel", "trend"', '"trend"', SpecError, "no column channel", id="a missing input"
        ),
        pytest.param(
            "trend=_.sold.sum()",
            "trend=1e300 * 1e10 * _.sold.sum()",
            BadData,
            "'trend' has infinite values",
            id="infinite",
        ),
        pytest.param(
            'left_join(trend, "hour")',
            'cross_join(trend.select("trend"))',
            BadData,
            "more than once",
            id="a join that multiplies",
        ),
        pytest.param(
            "import ibis\n",
            "import ibis\nimport nothing_like_it\n",
            SpecError,
            "nothing_like_it",
            id="an import that is not there",
        ),
        pytest.param(
            '"pages", "minutes"',
            '"pages", "minute"',
            SpecError,
            "build failed",
            id="a column that is not there",
        ),
        pytest.param(
            "bought=_.bought == 1",
            "bought=_.bought == 1).filter(_.pages < 0",
            BadData,
            "no row",
            id="no rows",
        ),
    ],
)
def test_a_build_that_goes_wrong_is_named(run, world, old, new, error, words):
    path = world.home / "models" / "sales" / "features.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(error, match=words):
        run()


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("slices: {by: [{column: pages}, {column: colour}]}", ("gate", "slices", "by", 1)),
        ("fairness: {by: colour, selection_rate: 0.1}", ("gate", "fairness", "by")),
    ],
)
def test_a_column_that_only_the_gate_knows_is_named_with_its_place(run, world, asked, place):
    world.respec("  min_rows: 50\n", f"  min_rows: 50\n  {asked}\n")
    with pytest.raises(SpecError, match="build returned no column colour") as caught:
        run()
    assert tuple(caught.value.at)[: len(place)] == place


def test_the_parent_run_is_opened_once_with_the_validation_page(run, ports):
    first, again = run(), run()
    assert first.parent_run == again.parent_run
    assert ports.registry.state(first.parent_run) == "RUNNING"


def test_what_is_made_of_a_series_is_part_of_a_files_key(ports, tmp_path):
    settings = load_settings({"PERENNIAL_HOME": str(tmp_path)})

    def key(**forecast):
        return features.file_key(Context(sales_spec(forecast=forecast), settings, ports), [], types)

    types = PlanTypes({}, [])
    assert key() == key()
    others = [{"lags": ["6h"]}, {"horizon": "4h"}, {"timezone": "Europe/Berlin"}, {"step": "30m"}]
    assert len({key(), *(key(**other) for other in others)}) == 1 + len(others)
