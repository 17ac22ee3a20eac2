"""Batches without rows: refused unless the spec allows them.

Then told, left out, and no dead end for anything.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.data.feature_rows import build_from, read_raw
from pipelines.errors import BadData
from pipelines.messages import FeaturesRequest, IngestRequest, TrainRequest, ValidateRequest
from pipelines.steps import features, ingest, train, validate
from pipelines.tables import from_parquet
from tests.served import interval, trained
from tests.worlds import ROWS, as_of, make_world

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALLOW = ("batch: day\n", "batch: day\nempty_batches: allow\n")

PYTHON = """
import pandas as pd

def read(start, end):
    home = __file__.rsplit("/models/", 1)[0]
    rows = pd.read_csv(f"{home}/raw/{start:%Y-%m-%d}.csv", parse_dates=["at"])
    return rows if len(rows) else pd.DataFrame()
"""


@pytest.fixture(params=["files", "no bytes", "python"])
def empty(request, world):
    """A world that allows empty batches, and whose third day is one.

    A header alone, no byte, or a frame without columns.
    """
    world.respec(*ALLOW)
    world.rewrite(2, world.frame(2).iloc[:0])
    if request.param == "no bytes":
        world.raw(2).write_bytes(b"")
    if request.param == "python":
        (world.home / "models" / "sales" / "source.py").write_text(PYTHON)
        world.respec('{kind: files, uri: "raw/{start:%Y-%m-%d}.csv",', "{kind: python,")
    return world


def built(world, ports, day=6):
    context = world.context(ports)
    ingested = ingest.run(context, IngestRequest(run="r", now=NOW, conf={"as_of": as_of(day)}))
    validated = validate.run(context, ValidateRequest(run="r", ingest=ingested))
    return validated, features.run(
        context, FeaturesRequest(run="r", ingest=ingested, validate=validated)
    )


def test_an_empty_batch_is_told_built_as_no_rows_and_left_out_of_training(empty, ports):
    validated, features_result = built(empty, ports)
    assert validated.warnings == [
        "2024-01-03T00: events: table row count to be between (min_value=1): 0"
    ]
    assert features_result.rows == 5 * ROWS
    names = [f"2024-01-0{d}T00" for d in (2, 3, 4)]
    before, none, after = (
        from_parquet(p) for p in ports.versions.fetch("sales", features_result.version, names)
    )
    assert (none.num_rows, none.column_names) == (0, before.column_names)
    assert after.schema == before.schema
    assert after["trend"].null_count > 2  # nothing of the day before is known
    result = train.run(
        empty.context(ports), TrainRequest(run="r", candidate="linear", features=features_result)
    )
    assert (result.rows_train > 3 * ROWS, result.rows_holdout > 0) == (True, True)


def test_an_empty_batch_that_gets_its_rows_later_is_one_with_late_rows(empty, ports):
    built(empty, ports)
    empty.rewrite(
        2,
        empty.frame(1).assign(
            visit=[f"2-{i}" for i in range(ROWS)],
            at=empty.frame(1)["at"].str.replace("01-02T", "01-03T"),
        ),
    )
    validated, features_result = built(empty, ports)
    assert (validated.warnings, features_result.rows, features_result.rebuilt) == ([], 6 * ROWS, 2)


def test_a_holdout_without_rows_is_named(empty, ports):
    empty.rewrite(5, empty.frame(5).iloc[:0])
    _, features_result = built(empty, ports)
    with pytest.raises(
        BadData, match="No row of the batches 2024-01-06T00 to 2024-01-06T00 has a label"
    ):
        train.run(
            empty.context(ports),
            TrainRequest(run="r", candidate="linear", features=features_result),
        )


def test_what_a_suite_says_of_the_number_of_rows_still_counts(empty, ports):
    (empty.home / "expectations" / "sales.json").write_text(
        '{"name": "sales", "expectations": [{"type": "expect_table_row_count_to_be_between",'
        ' "kwargs": {"min_value": 100}}]}'
    )
    with pytest.raises(
        BadData, match=r"2024-01-03T00: events: table row count to be between \(min_value=100\)"
    ):
        built(empty, ports)


def test_a_client_without_raw_rows_has_nothing_to_ask(empty, ports):
    context = empty.context(ports)
    assert build_from(context, read_raw(context, interval(2)), interval(2)).num_rows == 0


def test_rows_that_build_drops_are_no_empty_batch(empty, ports):
    path = empty.home / "models" / "sales" / "features.py"
    path.write_text(
        path.read_text().replace('tables["events"]', 'tables["events"].filter(_.pages > 1000)')
    )
    with pytest.raises(BadData, match="build returned no row of the interval"):
        built(empty, ports)


def test_a_window_without_rows_is_too_small_for_a_verdict_and_no_alarm(tmp_path):
    world = make_world(tmp_path / "home")
    world.respec(*ALLOW)
    watched = trained(world).copied(tmp_path / "copy")
    watched.world.rewrite(6, watched.world.frame(6).iloc[:0])
    result = watched.look(6)
    assert (result.verdict, result.rows, result.source) == (
        "not_enough_data",
        0,
        "batches",
    ), result.reasons
