"""A file that the engine sorts has the bytes of the table that is sorted in memory."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.building.sorted_file import SortedFile
from pipelines.engine import Engine
from pipelines.errors import BadData, GiveUp
from pipelines.tables import GROUP_ROWS, sorted_rows, to_parquet

MIB = 2**20
TIME = pa.timestamp("us", "UTC")


def write(tables, order, folder, threads=2, memory=256 * MIB, schema=None, **options):
    engine = Engine(memory, threads, folder)
    path = folder / "sorted.parquet"
    sorting = SortedFile(schema or tables[0].schema, order, engine)
    rows = sorting.write(iter(tables), path, folder, **options)
    return rows, path.read_bytes()


def parts(table, rows):
    return [table.slice(start, rows) for start in range(0, table.num_rows, rows)]


def many(rows, seed=1):
    chance = np.random.default_rng(seed)
    whole = chance.integers(0, 40, rows)
    return pa.table(
        {
            "at": pa.array(chance.integers(-5, 90, rows) * 10**6, TIME, mask=whole == 7),
            "key": pa.array([f"{n % 977}é" for n in range(rows)], mask=whole == 3),
            "x": pa.array(chance.normal(size=rows), mask=whole == 5),
            "small": pa.array(whole.astype("uint8")),
            "flag": pa.array(whole > 20),
            "none": pa.nulls(rows),
            "row": pa.array(np.arange(rows)),
        }
    )


@pytest.mark.parametrize("threads", [1, 8])
def test_the_bytes_are_those_of_the_table_sorted_in_memory(tmp_path, threads):
    table = many(2 * GROUP_ROWS + 70_001)
    for order in (["at", "key", "gone"], ["row"]):
        count, data = write(parts(table, 90_001), order, tmp_path, threads)
        assert count == table.num_rows
        assert data == to_parquet(sorted_rows(table, order))


SMALL = 2**14
"""Bytes of memory with which a few rows make a run, and 8,000 rows runs that are made of runs."""


@pytest.mark.parametrize("order", [["at", "key"], ["x"], ["whole"], ["flag"], ["row"], ["back"]])
def test_what_spills_is_the_same(tmp_path, order):
    table = many(8_000)
    rows = np.arange(table.num_rows)
    table = table.append_column("back", pa.array(-rows)).append_column(
        "whole", pa.array(np.where(rows % 7, rows % 5, np.nan))
    )
    expected = to_parquet(sorted_rows(table, order))
    assert write(parts(table, 700), order, tmp_path, memory=SMALL) == (8_000, expected)
    assert [file.name for file in tmp_path.iterdir()] == ["sorted.parquet"]


@pytest.mark.parametrize("last", [[], [5], [-1], [None, 5], [400, -1, 7]])
@pytest.mark.parametrize("memory", [SMALL, 256 * MIB])
def test_rows_in_order_stay_so_until_one_breaks_it(tmp_path, last, memory):
    first = [n // 5 for n in range(2_000)]
    table = pa.table({"x": [*first, *last, *([] if None in last else [None])]})
    table = table.append_column("n", pa.array(range(table.num_rows)))
    _, data = write(parts(table, 70), ["x"], tmp_path, memory=memory)
    assert data == to_parquet(sorted_rows(table, ["x"]))
    assert [file.name for file in tmp_path.iterdir()] == ["sorted.parquet"]


def test_rows_larger_than_a_run_are_sorted(tmp_path):
    texts = [chr(97 + n % 3) + "w" * 30_000 + str(n) for n in range(40)]
    table = pa.table({"x": texts, "n": range(40)})
    _, data = write(parts(table, 7), ["x"], tmp_path, memory=SMALL)
    assert data == to_parquet(sorted_rows(table, ["x"]))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([Decimal("1.50"), None, Decimal("-7.25"), Decimal("0.00")]),
        pa.array([0.0, -0.0, None, -1.5]),
        pa.array([0.0, -0.0, float("inf"), -1.5], pa.float32()),
        pa.array([2**63, 1, None, 0], pa.uint64()),
        pa.array([-(2**63), 1, None, 2**63 - 1]),
        pa.array(["b", "", None, "B\x00"]),
        pa.array(["z", "ä", "𝄞", "\uffff"]),
        pa.array([b"\xff", b"", None, b"a"]),
        pa.array([True, None, False, True]),
        pa.array(
            [datetime(1, 1, 1, tzinfo=UTC), None, datetime(9999, 12, 31, tzinfo=UTC)] * 2, TIME
        ),
    ],
)
def test_every_kind_of_value_sorts_and_stays(tmp_path, values):
    table = pa.table({"x": values, "n": range(len(values))})
    twice = pa.concat_tables([table, table])
    _, data = write(parts(twice, 3), ["x"], tmp_path)
    assert data == to_parquet(sorted_rows(twice, ["x"]))


def test_without_rows_or_columns_to_sort_by(tmp_path):
    table = many(10)
    for empty in ([], [table.slice(0, 0)]):
        assert write(empty, ["at"], tmp_path, schema=table.schema) == (
            0,
            to_parquet(table.slice(0, 0)),
        )
    assert write(parts(table, 3), ["gone"], tmp_path) == (10, to_parquet(table.combine_chunks()))


def test_equal_texts_are_numbered_as_they_came(tmp_path):
    table = pa.table({"x": [3, 1, 2, 1, 1], "key": ["a", "b", "a", "b", "c"]})
    expected = pa.table({"x": [3, 1, 2, 1, 1], "key": ["a-1", "b-1", "a-2", "b-2", "c-1"]})
    _, data = write(parts(table, 2), ["x", "key"], tmp_path, numbered="key")
    assert data == to_parquet(sorted_rows(expected, ["x", "key"]))


def test_what_a_part_raises_is_raised(tmp_path):
    def tables():
        yield many(10)
        raise BadData("torn.")

    engine = Engine(64 * MIB, 2, tmp_path)
    with pytest.raises(BadData, match=r"^torn\.$"):
        SortedFile(many(1).schema, ["at"], engine).write(tables(), tmp_path / "p", tmp_path)


def test_no_room_is_named(tmp_path):
    engine = Engine(2**20, 1, tmp_path)
    wide = pa.table({"x": ["w" * 3_000_000] * 4})
    with pytest.raises(GiveUp, match="could not be sorted"):
        SortedFile(wide.schema, ["x"], engine).write(
            iter([wide] * 4), tmp_path / "p", tmp_path, numbered="x"
        )


def test_a_full_disk_is_named(tmp_path):
    (tmp_path / "run-0.arrow").symlink_to("/dev/full")
    with pytest.raises(GiveUp, match=r"could not be sorted: .*No space left on device"):
        write(parts(many(10), 3), ["at"], tmp_path)
