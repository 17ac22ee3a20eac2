"""The expectations that a batch must meet: the user's suite, and those that are always checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.errors import SpecError
from pipelines.intervals import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.intervals import Interval
    from pipelines.spec import Spec

Expectation = dict[str, Any]

ANY_VALUE = 1e-9
"""As `mostly`: one value that is not null is enough."""


def read_suite(path: Path) -> list[Expectation]:
    """Return the suite's expectations. Raises SpecError naming the file where it is missing or no suite."""
    shown = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise SpecError(f"There is no {shown}.", remedy="write the suite; docs/add-a-model.md shows one.")
    try:
        expectations = json.loads(path.read_bytes())["expectations"]
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(
            f"{shown} is no suite: {error}.", remedy='it needs {"name": …, "expectations": [{"type": …, "kwargs": {…}}]}.'
        ) from error
    if not isinstance(expectations, list) or not all(isinstance(e, dict) and "type" in e for e in expectations):
        raise SpecError(f"{shown}: `expectations` must be a list of objects with a `type`.")
    return expectations


def always_main(spec: Spec, interval: Interval, columns: Mapping[str, str], suite: list[Expectation]) -> list[Expectation]:
    """Return what is always expected of the main table: rows, keys that are there once, times inside the interval, no empty columns."""
    time = spec.raw_event_time
    found: list[Expectation] = [_rows()]
    found += [_expect("expect_column_values_to_not_be_null", column=c) for c in [time, *spec.key]]
    found.append(_expect("expect_column_values_to_be_in_type_list", column=time, type_list=["datetime64", "datetime64[us]"]))
    if str(columns.get(time, "")).startswith("timestamp"):
        span: dict[str, Any] = {"min_value": iso(interval.start)[:-1], "max_value": iso(interval.end)[:-1], "strict_max": True}
        found.append(_expect("expect_column_values_to_be_between", column=time, **span))
    unique = "expect_column_values_to_be_unique" if len(spec.key) == 1 else "expect_compound_columns_to_be_unique"
    named: dict[str, Any] = {"column": spec.key[0]} if len(spec.key) == 1 else {"column_list": list(spec.key)}
    found.append(_expect(unique, **named))
    return [*found, *_no_empty_columns(columns, suite, {time, *spec.key})]


def always_side(columns: Mapping[str, str], suite: list[Expectation]) -> list[Expectation]:
    """Return what is always expected of a side table: rows, and no empty column that its suite names."""
    return [_rows(), *_no_empty_columns(columns, suite, set())]


def _rows() -> Expectation:
    # Great Expectations passes most expectations on no rows at all.
    return _expect("expect_table_row_count_to_be_between", min_value=1)


def _no_empty_columns(columns: Mapping[str, str], suite: list[Expectation], checked: set[str]) -> list[Expectation]:
    """A column of nulls passes most expectations; it is critical where the suite names the column, else a warning."""
    named = {e.get("kwargs", {}).get("column") for e in suite}
    checked = checked | {e["kwargs"].get("column") for e in suite if _asks_for_values(e)}
    return [
        _expect("expect_column_values_to_not_be_null", "critical" if c in named else "warning", column=c, mostly=ANY_VALUE)
        for c in columns
        if c not in checked
    ]


def _asks_for_values(expectation: Expectation) -> bool:
    """Tell whether the suite itself refuses a column of nulls."""
    severe = expectation.get("severity", "critical") == "critical"
    return bool(severe and expectation["type"] == "expect_column_values_to_not_be_null" and expectation["kwargs"].get("mostly", 1) > 0)


def _expect(kind: str, severity: str = "critical", **kwargs: object) -> Expectation:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"always": True}}
