"""Columns whose type differs from batch to batch.

Widened and told where nothing is lost, refused by name where something is.
"""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.data import labelled_rows
from pipelines.data.feature_rows import build_batch, build_from, read_raw
from pipelines.data.plan_types import plan_types
from pipelines.errors import BadData, SpecError
from pipelines.messages import TrainRequest
from pipelines.steps import train
from pipelines.tables import from_parquet
from tests.served import interval
from tests.unit.data.loops import NAMES, with_column
from tests.worlds import ROWS, as_of


def test_a_column_that_is_empty_in_one_batch_has_the_type_of_the_others_and_is_learnt_from(loop):
    with_column(loop, 2, minutes=None)
    validated = loop.validate(loop.ingest())
    assert [
        w for w in validated.warnings if "minutes" in w and "type" in w
    ] == []  # null goes with any type
    built = loop.build()
    assert loop.types(built, "minutes") == ["double"] * 6
    trained = train.run(loop.context, TrainRequest(run="r", candidate="linear", features=built))
    assert trained.rows_train == 5 * ROWS - sum(
        at[11:13] == "23" for at in loop.world.frame(4)["at"]
    )


def test_a_window_of_one_batch_takes_the_type_from_batches_before_it(loop):
    loop.build()
    with_column(loop, 6, minutes=None)
    ingested = loop.ingest(window_end=as_of(7))
    plan = loop.plan(ingested).model_copy(update={"lookback": []})
    assert plan_types(loop.ports.store, loop.context.spec, plan).types == {
        "events": {"minutes": pa.float64()}
    }
    assert (
        str(build_batch(loop.context, plan, plan.holdout[0]).schema.field("minutes").type)
        == "double"
    )


def test_a_client_with_raw_rows_builds_the_type_that_was_stored(loop):
    loop.world.respec("lookback: 1d", "lookback: 0s")
    built = loop.build()
    with_column(loop, 6, minutes=None)
    table = build_from(loop.context, read_raw(loop.context, interval(6)), interval(6))
    assert str(table.schema.field("minutes").type) == loop.types(built, "minutes")[0] == "double"


def test_where_no_batch_has_a_value_nothing_is_known_and_training_goes_on(loop):
    for day in range(8):
        with_column(loop, day, minutes=None)
    assert (
        train.run(
            loop.context, TrainRequest(run="r", candidate="linear", features=loop.build())
        ).rows_holdout
        > 0
    )


def test_build_that_fails_on_a_column_of_which_nobody_knows_the_type_is_told_so(loop):
    loop.world.respec("lookback: 1d", "lookback: 0s")
    path = loop.world.home / "models" / "sales" / "features.py"
    path.write_text(
        path.read_text().replace('"channel", "trend",', '"trend", channel=_.channel.upper(),')
    )
    with_column(loop, 6, channel=None)
    raws = read_raw(loop.context, interval(6))
    with pytest.raises(
        SpecError,
        match=(
            r"no batch at hand has a value in events\.channel, which is therefore taken for a"
            r" number"
        ),
    ):
        build_from(loop.context, raws, interval(6))
    loop.build()
    assert str(build_from(loop.context, raws, interval(6)).schema.field("channel").type) == "string"


def test_whole_numbers_beside_floats_are_widened_and_told_with_batch_and_column(loop):
    with_column(loop, 3, pages=2.5)
    validated = loop.validate(loop.ingest())
    [told] = [w for w in validated.warnings if "pages: one type in all batches" in w]
    assert told.startswith(
        "2024-01-04T00: events: pages: one type in all batches: holds floating numbers (double),"
        " other batches hold whole"
    )
    assert told.endswith("all are read as floating numbers (double)")
    assert loop.types(loop.build(), "pages") == ["double"] * 6


def test_files_are_built_again_when_their_types_change_and_only_then(loop):
    first = loop.build()
    with_column(loop, 5, pages=2.5)
    assert (loop.build().rebuilt, loop.build().rebuilt) == (6, 0)
    with_column(loop, 5, pages=2)
    back = loop.build()
    assert loop.types(first, "pages") == loop.types(back, "pages") == ["int64"] * 6


def test_true_and_false_in_one_file_and_0_and_1_in_another_are_the_same_and_told(loop):
    frame = loop.world.frame(2)
    loop.world.rewrite(2, frame.assign(bought=frame["bought"] == 1))
    validated = loop.validate(loop.ingest())
    assert any(
        "2024-01-03T00: events: bought: one type in all batches: holds true and false (bool)" in w
        for w in validated.warnings
    )
    built = loop.build()
    [path] = loop.ports.versions.fetch("sales", built.version, ["2024-01-03T00"])
    assert sorted(
        zip(*(from_parquet(path)[c].to_pylist() for c in ("visit", "bought")), strict=True)
    ) == sorted(zip(frame["visit"], frame["bought"] == 1, strict=True))


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        pytest.param(
            "minutes",
            "soon",
            r"2024-01-04T00: events: minutes: one type in all batches: holds texts \(string\)",
            id="texts",
        ),
        pytest.param(
            "minutes",
            2**53 + 1,
            "minutes: .* too large or too fine to be held in one type",
            id="a whole number too large",
        ),
        pytest.param(
            "minutes", True, "minutes: .* only 0 and 1 go with true and false", id="booleans"
        ),
    ],
)
def test_what_cannot_be_widened_goes_to_quarantine_by_name(loop, column, values, words):
    with_column(loop, 3, **{column: values})
    with pytest.raises(BadData, match=words):
        loop.validate(loop.ingest())
    assert [
        e.body["interval"]["start"] for e in loop.ports.ledger.entries("sales", "quarantine")
    ] == ["2024-01-04T00:00:00Z"]


def test_building_without_validation_never_changes_a_value_in_silence(loop):
    with_column(loop, 3, minutes="soon")
    plan = loop.plan(loop.ingest())
    with pytest.raises(BadData, match="2024-01-04T00: events: The column minutes holds texts"):
        build_batch(loop.context, plan, plan.train[3])


def test_a_column_that_one_batch_lacks_is_named(loop):
    loop.world.rewrite(3, loop.world.frame(3).drop(columns="channel"))
    assert any(
        "2024-01-04T00: events: channel: one type in all batches: is missing here" in w
        for w in loop.validate(loop.ingest()).warnings
    )
    odd = plan_types(loop.ports.store, loop.context.spec, loop.plan(loop.ingest())).odd
    assert [(o.batch, o.column, o.why) for o in odd] == [
        (NAMES[3], "channel", "is missing here, other batches have it")
    ]


def test_keys_stay_whole_numbers_where_pandas_made_floats_of_them(loop):
    (loop.world.home / "models" / "sales" / "source.py").write_text(
        "import pandas as pd\ndef read(start, end):\n    rows ="
        " pd.read_csv(f'{__file__.rsplit(\"/models/\", 1)[0]}/raw/{start:%Y-%m-%d}.csv',"
        " parse_dates=['at'])\n    rows['visit'] = rows['visit'].str.split('-').str[1].astype(int)"
        " + start.day * 1_000_000\n    return rows.astype({'visit': float}) if start.day == 3 else"
        " rows\n"
    )
    loop.world.respec('{kind: files, uri: "raw/{start:%Y-%m-%d}.csv",', "{kind: python,")
    built = loop.build()
    assert loop.types(built, "visit") == ["int64"] * 6
    rows, _ = labelled_rows.rows_to_fit(loop.context, built)
    assert rows["visit"].to_pylist()[2 * ROWS] // 1_000_000 == 3
