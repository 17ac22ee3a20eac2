"""Expectations on a file that is too large for memory: proven, or judged part by part.

What Arrow proves is proven from one column at a time. What a row alone decides, Great Expectations
judges part by part; which values stand twice, the engine finds. Whatever else is asked needs the
columns that it names at once: all their rows where they fit, else rows at equal distances, and then
the finding says so. See docs/decisions/0098-large-batches-stream.md.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pipelines.validation.columns import judged_frame
from pipelines.validation.file_figures import FileFigures
from pipelines.validation.proofs import asked_to_differ, is_comparable
from pipelines.validation.results import MOST_POSITIONS, ExpectationResult, exception_text
from pipelines.validation.run import NO_ROWS, check_rows, results_of

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.engine import Engine
    from pipelines.validation.proofs import Figures
    from pipelines.validation.suites import Expectation

PART_ROWS = 250_000
"""Rows that Great Expectations judges at once."""
_BY_ROW = frozenset(
    f"expect_column_{name}"
    for name in (
        "value_lengths_to_be_between", "value_lengths_to_equal", "values_to_be_between",
        "values_to_be_dateutil_parseable", "values_to_be_in_set", "values_to_be_json_parseable",
        "values_to_be_null", "values_to_match_json_schema", "values_to_match_regex",
        "values_to_match_regex_list", "values_to_match_strftime_format", "values_to_not_be_in_set",
        "values_to_not_be_null", "values_to_not_match_regex", "values_to_not_match_regex_list",
    )
)  # fmt: skip
"""What each row decides by itself."""
_COUNT_ALL = frozenset({"expect_column_values_to_not_be_null", "expect_column_values_to_be_null"})
"""Of these, missing values are not left out."""
_COUNTS = frozenset({"expect_table_row_count_to_be_between", "expect_table_row_count_to_equal"})
_UNIQUE = "expect_column_values_to_be_unique"
_SAMPLED = frozenset(
    f"expect_column_{name}"
    for name in (
        "kl_divergence_to_be_less_than", "mean_to_be_between", "median_to_be_between",
        "most_common_value_to_be_in_set", "pair_values_a_to_be_greater_than_b",
        "pair_values_to_be_equal", "pair_values_to_be_in_set",
        "proportion_of_non_null_values_to_be_between", "quantile_values_to_be_between",
        "stdev_to_be_between", "value_z_scores_to_be_less_than",
    )
) | {
    "expect_multicolumn_sum_to_equal",
    "expect_select_column_values_to_be_unique_within_record",
}  # fmt: skip
"""What rows at equal distances tell of all of them."""
_TEXT_BYTES, _NUMBER_BYTES, _FRAME_SHARE = 120, 18, 2
"""Bytes of a value in a frame while it is judged; a frame takes one part of the engine's memory."""


def check_file(
    name: str,
    path: Path,
    expectations: list[Expectation],
    subject: str,
    engine: Engine,
    folder: Path,
    part_rows: int = PART_ROWS,
) -> list[ExpectationResult]:
    """Return a finding for each expectation on the Parquet file, as `check_table` does.

    `folder` takes what the engine spills.
    """
    figures = FileFigures(path, engine, folder)
    rows = FileRows(name, figures, engine.memory, part_rows)
    # Great Expectations takes seconds to load: what is asked of the rows is found out meanwhile.
    with figures.looking_ahead(*_asked_ahead(figures, expectations)):
        return check_rows(name, rows, expectations, subject)


def rows_of_file(
    name: str, path: Path, engine: Engine, folder: Path, part_rows: int = PART_ROWS
) -> FileRows:
    """Return the rows of a Parquet file; `folder` takes what the engine spills."""
    return FileRows(name, FileFigures(path, engine, folder), engine.memory, part_rows)


def _asked_ahead(
    figures: FileFigures, expectations: list[Expectation]
) -> tuple[list[str], list[list[str]]]:
    """Return the columns whose rows must be read for what is surely asked of them, and the lists of
    columns in which rows must differ.
    """
    import pyarrow as pa

    named = {e.get("kwargs", {}).get("column"): None for e in expectations}
    columns = [n for n in named if isinstance(n, str) and figures.schema.names.count(n) == 1]
    floats = [n for n in columns if pa.types.is_floating(figures.schema.field(n).type)]
    return floats, asked_to_differ(figures, expectations)


class FileRows:
    """The rows of a Parquet file."""

    def __init__(self, name: str, figures: FileFigures, memory: int, part_rows: int) -> None:
        """Remember the file, and the bytes that frames may take."""
        self.figures: Figures = figures
        self._file = figures
        self._name = name
        self._room = memory // _FRAME_SHARE
        self._part_rows = part_rows

    def judge(self, objects: dict[int, Any], expectations: list[Expectation]) -> dict[int, Any]:
        """Return Great Expectations' result of each of its objects, or what stands for it."""
        by_row = {
            n: o for n, o in objects.items() if _is_by_row(expectations[n], self._file.schema)
        }
        results = self._in_parts(by_row, expectations)
        for number in objects.keys() - by_row.keys():
            found = self._twice(expectations[number])
            if found is None:
                found = self._at_once(number, objects[number], expectations[number])
            results[number] = found
        return results

    def _in_parts(self, objects: dict[int, Any], expectations: list[Expectation]) -> dict[int, Any]:
        """Return the results that the parts have together."""
        columns = list(dict.fromkeys(expectations[n]["kwargs"]["column"] for n in objects))
        sums = {n: _Sum(expectations[n]) for n in objects}
        before = 0
        for part in self._file.parts(columns, self._part_rows) if objects else ():
            open_ones = {n: o for n, o in objects.items() if sums[n].failure is None}
            for number, result in results_of(self._name, judged_frame(part), open_ones).items():
                sums[number].add(result, before)
            before += part.num_rows
        return {n: one.result() for n, one in sums.items()}

    def _twice(self, expectation: Expectation) -> Any:
        """Return the result of an expectation that values differ; None where it is another one."""
        kwargs = {k: v for k, v in expectation["kwargs"].items() if v is not None}
        column = kwargs.get("column")
        if expectation["type"] != _UNIQUE or not set(kwargs) <= {"column", "mostly"}:
            return None
        if column is None or column not in self._file.schema.names:
            return None
        if not is_comparable(self._file.schema.field(column).type):
            return None
        count, positions = self._file.twice(column, MOST_POSITIONS + 1)
        return _map_result(
            count, self._file.rows - self._file.missing(column), positions, kwargs.get("mostly", 1)
        )

    def _at_once(self, number: int, ready: Any, expectation: Expectation) -> Any:
        """Return the result on the columns that the expectation names."""
        kind = expectation["type"]
        columns = self._columns_of(expectation)
        step = max(1, -(-self._file.rows * self._bytes_of(columns) // max(self._room, 1)))
        if kind in NO_ROWS:
            table = self._file.some(None, 1, most=1)
        elif step == 1:
            table = self._file.some(columns, 1)
        elif kind in _SAMPLED:
            table = self._file.some(columns, step)
        else:
            return MemoryError(
                f"{self._file.rows} rows of it take more memory than there is, and a sample does"
                " not tell it; raise `resources.memory`"
            )
        result = results_of(self._name, judged_frame(table), {number: ready})[number]
        is_sample = step > 1 and kind not in NO_ROWS
        return _of_sample(result, step, table.num_rows) if is_sample else result

    def _columns_of(self, expectation: Expectation) -> list[str]:
        """Return the columns that are needed to judge the expectation."""
        kwargs, schema = expectation["kwargs"], self._file.schema
        if expectation["type"] in _COUNTS:
            return [min(schema.names, key=lambda n: self._bytes_of([n]))] if schema.names else []
        named = [kwargs.get(word) for word in ("column", "column_A", "column_B")]
        named += kwargs.get("column_list") or []
        there = [n for n in dict.fromkeys(named) if n in schema.names]
        return schema.names if not there or kwargs.get("row_condition") else there

    def _bytes_of(self, columns: list[str]) -> int:
        """Return what a row takes in a frame, roughly."""
        import pyarrow as pa

        kinds = [self._file.schema.field(name).type for name in columns]
        return sum(
            _NUMBER_BYTES if pa.types.is_primitive(kind) or pa.types.is_null(kind) else _TEXT_BYTES
            for kind in kinds
        )


def _is_by_row(expectation: Expectation, schema: pa.Schema) -> bool:
    kwargs = expectation["kwargs"]
    return (
        expectation["type"] in _BY_ROW
        and kwargs.get("column") in schema.names
        and not kwargs.get("row_condition")
    )


class _Sum:
    """What the results of the parts come to."""

    def __init__(self, expectation: Expectation) -> None:
        self.failure: Any = None
        """The result that could not be judged."""
        self._counts_all = expectation["type"] in _COUNT_ALL
        self._mostly = expectation["kwargs"].get("mostly")
        self._judged = 0
        self._bad = 0
        self._positions: list[int] = []

    def add(self, result: Any, before: int) -> None:
        """Add a part before which there are so many rows."""
        if exception_text(result):
            self.failure = result
            return
        body = result.result
        self._judged += body["element_count"]
        if not self._counts_all:
            self._judged -= body.get("missing_count") or 0
        self._bad += body["unexpected_count"]
        room = MOST_POSITIONS + 1 - len(self._positions)
        positions = sorted(map(int, body.get("unexpected_index_list") or []))[:room]
        self._positions += [before + position for position in positions]

    def result(self) -> Any:
        """Return the result of the whole."""
        if self.failure is not None:
            return self.failure
        mostly = 1 if self._mostly is None else self._mostly
        return _map_result(self._bad, self._judged, self._positions, mostly)


def _map_result(bad: int, judged: int, positions: list[int], mostly: float) -> Any:
    """Return a result as Great Expectations makes it of expectations on values."""
    success = not judged or (float(judged) - float(bad)) / float(judged) >= mostly
    body = {
        "unexpected_count": bad,
        "unexpected_percent": bad / judged * 100 if judged else None,
        "unexpected_index_list": positions,
    }
    return SimpleNamespace(success=success, result=body, exception_info={})


def _of_sample(result: Any, step: int, rows: int) -> Any:
    """Return a result on one row in `step` with the rows' own positions, and say so."""
    if isinstance(result, Exception) or exception_text(result):
        return result
    body = dict(result.result or {})
    positions = body.get("unexpected_index_list") or []
    body["unexpected_index_list"] = [int(position) * step for position in positions]
    body["sample"] = f"on a sample of {rows} rows, one in {step}: "
    return SimpleNamespace(success=result.success, result=body, exception_info={})
