"""What is found on a file part by part is what is found on its table, to the letter."""

import datetime as dt
import threading
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine import Engine
from pipelines.errors import SpecError
from pipelines.validation.file_figures import FileFigures
from pipelines.validation.large import _BY_ROW, FileRows, check_file
from pipelines.validation.proofs import TableFigures
from pipelines.validation.results import MOST_POSITIONS
from pipelines.validation.run import check_rows, check_table

MIB = 2**20
ROWS = 31
FIRST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TIME = pa.timestamp("us", "UTC")
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS)),
        "twice": pa.array([n // 2 for n in range(ROWS)]),
        "some": pa.array([None if n % 5 == 0 else n for n in range(ROWS)]),
        "none": pa.nulls(ROWS, pa.float64()),
        "x": pa.array([n / 7 - 1 for n in range(ROWS)]),
        "large": pa.array([2**63 + n if n > 20 else n for n in range(ROWS)], pa.uint64()),
        "name": pa.array([None if n % 9 == 0 else f"n{n % 6}" for n in range(ROWS)]),
        "flag": pa.array([n % 3 == 0 for n in range(ROWS)]),
        "price": pa.array([Decimal(n) / 4 for n in range(ROWS)]),
        "at": pa.array([FIRST + n * dt.timedelta(hours=1) for n in range(ROWS)], TIME),
        "day": pa.array([f"2024-01-{1 + n:02}" for n in range(ROWS)]),
    }
)  # fmt: skip
COLUMN = "expect_column_"
BETWEEN = f"{COLUMN}values_to_be_between"
GREATER = f"{COLUMN}pair_values_a_to_be_greater_than_b"
CASES = [
    *((f"{COLUMN}values_to_not_be_null", {"column": c, "mostly": m})
      for c in ("id", "some", "none", "name") for m in (1, 0.8, 0.5)),
    *((f"{COLUMN}values_to_be_null", {"column": c}) for c in ("none", "some", "name")),
    *((BETWEEN, {"column": c, "min_value": low, "max_value": 25, "mostly": m})
      for c in ("id", "some", "none", "x", "large", "price") for low in (0, 3) for m in (1, 0.6)),
    (f"{COLUMN}values_to_be_between", {"column": "at", "min_value": "2024-01-01T03:00:00"}),
    (f"{COLUMN}values_to_be_between", {"column": "at", "max_value": "2024-03-01"}),
    (f"{COLUMN}values_to_be_between", {"column": "name", "min_value": 1}),
    (f"{COLUMN}values_to_be_in_set", {"column": "name", "value_set": ["n1", "n2"]}),
    (f"{COLUMN}values_to_be_in_set", {"column": "name", "value_set": [f"n{n}" for n in range(6)]}),
    (f"{COLUMN}values_to_not_be_in_set", {"column": "some", "value_set": [4, 12, 30]}),
    (f"{COLUMN}values_to_match_regex", {"column": "name", "regex": "^n[0-4]$", "mostly": 0.8}),
    (f"{COLUMN}values_to_not_match_regex", {"column": "name", "regex": "5"}),
    (f"{COLUMN}values_to_match_regex_list", {"column": "name", "regex_list": ["1", "2"]}),
    (f"{COLUMN}values_to_not_match_regex_list", {"column": "name", "regex_list": ["1", "2"]}),
    (f"{COLUMN}value_lengths_to_be_between", {"column": "day", "min_value": 9}),
    (f"{COLUMN}value_lengths_to_equal", {"column": "name", "value": 3}),
    (f"{COLUMN}values_to_match_strftime_format", {"column": "day", "strftime_format": "%Y-%m-%d"}),
    (f"{COLUMN}values_to_be_dateutil_parseable", {"column": "name"}),
    (f"{COLUMN}values_to_be_json_parseable", {"column": "name"}),
    (f"{COLUMN}values_to_match_json_schema", {"column": "name", "json_schema": {"type": "string"}}),
    (f"{COLUMN}values_to_be_unique", {"column": "id"}),
    (f"{COLUMN}values_to_be_unique", {"column": "twice"}),
    (f"{COLUMN}values_to_be_unique", {"column": "name", "mostly": 0.1}),
    (f"{COLUMN}values_to_be_unique", {"column": "x"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["twice", "flag"]}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["twice", "id"]}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["twice", "name"]}),
    *((f"{COLUMN}{what}_to_be_between", {"column": "some", "min_value": 1, "max_value": 20})
      for what in ("mean", "median", "stdev", "sum", "min", "max", "unique_value_count")),
    (f"{COLUMN}proportion_of_unique_values_to_be_between", {"column": "name", "min_value": 0.5}),
    (f"{COLUMN}distinct_values_to_be_in_set", {"column": "name", "value_set": ["n1"]}),
    (f"{COLUMN}distinct_values_to_contain_set", {"column": "name", "value_set": ["n1"]}),
    (f"{COLUMN}pair_values_a_to_be_greater_than_b", {"column_A": "id", "column_B": "twice"}),
    (f"{COLUMN}values_to_be_increasing", {"column": "id"}),
    (f"{COLUMN}to_exist", {"column": "id"}),
    (f"{COLUMN}to_exist", {"column": "absent"}),
    (f"{COLUMN}values_to_not_be_null", {"column": "absent"}),
    (f"{COLUMN}values_to_be_unique", {"column": "absent"}),
    (f"{COLUMN}values_to_be_of_type", {"column": "id", "type_": "int64"}),
    ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 9}),
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
    ("expect_table_row_count_to_equal", {"value": ROWS}),
    ("expect_table_row_count_to_equal", {"value": 3}),
    ("expect_table_column_count_to_equal", {"value": 11}),
    ("expect_table_columns_to_match_set", {"column_set": ["id", "x"]}),
]  # fmt: skip


def suite_of(cases):
    return [{"type": kind, "kwargs": kwargs} for kind, kwargs in cases]


@pytest.fixture
def file(tmp_path):
    def write(table, memory=256 * MIB):
        path = tmp_path / "table.parquet"
        pq.write_table(table, path, row_group_size=11)
        return path, Engine(memory, 2, tmp_path)

    return write


@pytest.mark.parametrize("rows", [12, 1_000])
def test_the_findings_are_those_of_the_table(file, tmp_path, rows):
    path, engine = file(TABLE)
    found = check_file("t", path, suite_of(CASES), "suite.json", engine, tmp_path, rows)
    expected = check_table("t", TABLE, suite_of(CASES), "suite.json")
    for one, other in zip(found, expected, strict=True):
        assert one == other
    assert {kind for kind, _ in CASES} >= _BY_ROW
    assert 20 < sum(finding.success for finding in found) < len(CASES) - 20


def test_a_file_without_rows(file, tmp_path):
    path, engine = file(TABLE.slice(0, 0))
    found = check_file("t", path, suite_of(CASES), "suite.json", engine, tmp_path)
    assert found == check_table("t", TABLE.slice(0, 0), suite_of(CASES), "suite.json")


def test_what_a_suite_has_wrong_is_said(file, tmp_path):
    path, engine = file(TABLE)
    suite = suite_of([(f"{COLUMN}values_to_be_of_type", {"column": "id", "type_": "unknown"})])
    with pytest.raises(SpecError, match="no type is called"):
        check_file("t", path, suite, "suite.json", engine, tmp_path)


def test_positions_are_those_of_the_first_bad_rows(file, tmp_path):
    rows = MOST_POSITIONS * 2
    table = pa.table({"x": np.arange(rows), "twice": np.arange(rows) // 2})
    path, engine = file(table)
    suite = suite_of(
        [
            (BETWEEN, {"column": "x", "min_value": 2_500, "max_value": 4_000}),
            (f"{COLUMN}values_to_be_unique", {"column": "twice"}),
        ]
    )  # fmt: skip
    found = check_file("t", path, suite, "suite.json", engine, tmp_path, 3_000)
    assert found == check_table("t", table, suite, "suite.json")
    assert [len(finding.rows) for finding in found] == [MOST_POSITIONS] * 2


def test_what_does_not_fit_is_judged_on_a_sample_that_is_named_or_not_at_all(file, tmp_path):
    rows = 3_000
    table = pa.table({"x": np.arange(rows) * 1.0, "y": np.zeros(rows)})
    path, _ = file(table)
    figures = FileFigures(path, Engine(256 * MIB, 2, tmp_path), tmp_path)
    # 18 bytes for each of 3,000 rows, where 7,000 bytes may be taken: one row in 8
    judged = FileRows("t", figures, 14_000, 1_000)
    suite = suite_of(
        [
            (f"{COLUMN}mean_to_be_between", {"column": "x", "min_value": 0, "max_value": 9}),
            (GREATER, {"column_A": "y", "column_B": "x", "or_equal": True}),
            (f"{COLUMN}sum_to_be_between", {"column": "x", "min_value": 0}),
            (f"{COLUMN}values_to_not_be_null", {"column": "x"}),
            (f"{COLUMN}to_exist", {"column": "x"}),
        ]
    )  # fmt: skip
    mean, pair, total, complete, exists = check_rows("t", judged, suite, "suite.json")
    assert mean.observed.startswith("on a sample of 375 rows, one in 8: 1496")
    assert pair.observed.startswith("on a sample of 188 rows, one in 16: 187 bad rows")
    assert pair.rows == list(range(16, rows, 16))
    assert (total.success, total.severity) == (False, "critical")
    assert "cannot be judged: MemoryError: 3000 rows" in total.observed
    assert complete.success
    assert exists.success


@pytest.mark.parametrize("memory", [64, 256 * MIB])
def test_figures_are_those_of_the_table(file, tmp_path, memory):
    path, _ = file(TABLE)
    one, other = FileFigures(path, Engine(256 * MIB, 2, tmp_path), tmp_path), TableFigures(TABLE)
    few = FileFigures(path, Engine(memory, 2, tmp_path), tmp_path)
    assert (one.rows, one.schema.names) == (other.rows, other.schema.names)
    for name in ("id", "some", "x", "at", "none", "large"):
        assert (one.missing(name), one.ends(name)) == (other.missing(name), other.ends(name))
        if one.missing(name) == 0 and memory > MIB:
            assert few.all_differ([name]) == other.all_differ([name])
    assert one.all_differ(["twice", "id"])
    assert not one.all_differ(["twice", "flag"])
    assert not one.all_differ(["twice"])


class _Endless(FileFigures):
    """Asks the engine for something that takes hours."""

    asked = threading.Event()

    def _hashes_twice(self, *_):
        with self._connect() as connection:
            self.asked.set()
            connection.execute("SELECT count(*) FROM range(1000000000000) WHERE hash(range) = 1")


def test_an_error_ends_what_was_begun_beside_it(file, tmp_path):
    """Without that the error comes hours later."""
    path, engine = file(TABLE)
    figures = _Endless(path, engine, tmp_path)

    def fail():
        figures.asked.wait()
        raise SpecError("what was wrong")

    with (
        pytest.raises(SpecError, match="what was wrong"),
        figures.looking_ahead([], [["twice"], ["twice", "id"]]),
    ):
        fail()


def test_an_error_ends_sums_between_two_parts_and_those_that_wait(file, tmp_path):
    names = [f"x{number}" for number in range(20)]
    path, engine = file(pa.table(dict.fromkeys(names, np.arange(10.0))))
    summed = []

    class Slow(FileFigures):
        def parts(self, columns, rows, **how):
            summed.extend(columns)
            for _ in range(2):
                yield from super().parts(columns, rows, **how)
                self._has_failed.wait()

    figures = Slow(path, engine, tmp_path)
    with pytest.raises(SpecError), figures.looking_ahead(names, []):
        raise SpecError("what was wrong")
    assert set(summed) <= {"x0"}
