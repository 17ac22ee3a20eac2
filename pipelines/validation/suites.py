"""The expectations that a batch must meet: the user's suite, and those that are always checked."""

from __future__ import annotations

import json
from difflib import get_close_matches
from math import isfinite
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


SUITE_BYTES = 4_000_000
"""A suite's file is at most so large; one expectation is a few hundred bytes."""
NESTING = 20
"""Brackets within brackets that a suite may have.

The deepest argument of an expectation needs eight.
"""
_KNOWN = {
    "type",
    "kwargs",
    "severity",
    "meta",
    "notes",
    "description",
    "id",
    "rendered_content",
    "expectation_context",
}
_KNOWN |= {"success_on_last_run", "ge_cloud_id"}
"""Keys of an expectation in a file that Great Expectations wrote.

Those that are no part of what is expected are left out.
"""
_KEPT = ("type", "kwargs", "severity")


def read_suite(path: Path) -> list[Expectation]:
    """Return the suite's expectations, as written by hand or as Great Expectations saves them.

    Each has `type`, `kwargs`, `severity` where it was given, and as `meta` its place in the file
    (`{"place": 0}` for the first). Raises SpecError naming the file, and the place in it, where it
    is missing or no suite.
    """
    subject = f"{path.parent.name}/{path.name}"
    expectations = _json(path, subject)
    if isinstance(expectations, dict):
        expectations = expectations.get("expectations")
    if not isinstance(expectations, list):
        raise SpecError(
            f"{subject} is no suite: it holds no list `expectations`.",
            remedy='it needs {"name": …, "expectations": [{"type": …, "kwargs": {…}}]}.',
        )
    problems = [
        f"{subject}: expectations[{i}]: {why}"
        for i, e in enumerate(expectations)
        if (why := _wrong_shape(e))
    ]
    if problems:
        raise SpecError(
            "\n".join(problems),
            remedy='each needs {"type": …, "kwargs": {…}}; docs/add-a-model.md shows a suite.',
        )
    return [
        {**{k: e[k] for k in _KEPT if k in e}, "meta": {"place": i}}
        for i, e in enumerate(expectations)
    ]


def _json(path: Path, subject: str) -> Any:
    """Return the JSON in a suite's file. Raises SpecError where there is none."""
    if path.is_dir():
        raise SpecError(
            f"{subject} is a folder.", remedy="write the suite into a file of this name."
        )
    if not path.is_file():
        raise SpecError(
            f"There is no {subject}.", remedy="write the suite; docs/add-a-model.md shows one."
        )
    try:
        with path.open("rb") as file:
            text = file.read(SUITE_BYTES + 1)
    except OSError as error:
        raise SpecError(
            f"{subject} cannot be read: {error.strerror}.",
            remedy="give this process the right to read it.",
        ) from error
    if len(text) > SUITE_BYTES:
        raise SpecError(
            f"{subject} is larger than {SUITE_BYTES:,} bytes.",
            remedy="a suite holds expectations, no data; shorten it.",
        )
    try:
        document = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_once_each
        )
    except RecursionError as error:
        raise SpecError(
            f"{subject} is no suite: its brackets are too deep.", remedy="mend the file."
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{subject} is no suite: its byte {error.start} is not UTF-8.",
            remedy="save it as UTF-8.",
        ) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SpecError(
            f"{subject} is no suite: no JSON at {where}: {error.msg}.", remedy="mend the file."
        ) from error
    except ValueError as error:
        raise SpecError(f"{subject} is no suite: {error}.", remedy="mend the file.") from error
    if _deeper(document, NESTING):
        raise SpecError(
            f"{subject} is no suite: its brackets are too deep (more than {NESTING}).",
            remedy="mend the file.",
        )
    return document


def _refuse_constant(name: str) -> Any:
    msg = f"{name} is no number in JSON"
    raise ValueError(msg)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        msg = f"the number {text[:40]} is too large"
        raise ValueError(msg)
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON.

    ValueError where a key stands twice, of which the first would be lost.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        msg = f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice in one object"
        raise ValueError(msg)
    return members


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 if not inner else levels == 0 or any(_deeper(v, levels - 1) for v in inner)


def _wrong_shape(expectation: Any) -> str:
    """Return what is wrong with the shape of an expectation; "" where nothing is."""
    if not isinstance(expectation, dict):
        return "it is no object"
    if "type" not in expectation and "expectation_type" in expectation:
        return "`expectation_type` is called `type` since Great Expectations 1.0"
    if not isinstance(expectation.get("type"), str):
        return "it has no `type`, such as expect_column_values_to_not_be_null"
    return _malformed_arguments(expectation["type"], expectation.get("kwargs", {})) or _unknown_key(
        expectation
    )


def _malformed_arguments(kind: str, kwargs: Any) -> str:
    if not isinstance(kwargs, dict):
        return f"{kind}: `kwargs` must be an object"
    names = [kwargs[n] for n in ("column", "column_A", "column_B") if n in kwargs]
    return (
        "" if all(isinstance(n, str) for n in names) else f"{kind}: a column's name must be a text"
    )


def _unknown_key(expectation: Expectation) -> str:
    unknown = sorted(set(expectation) - _KNOWN)
    if not unknown:
        return ""
    near = get_close_matches(unknown[0], _KNOWN, 1)
    return f"{expectation['type']}: unknown key {unknown[0]!r}" + (
        f"; {near[0]!r}?" if near else ""
    )


def always_main(
    spec: Spec, interval: Interval, columns: Mapping[str, str], suite: list[Expectation]
) -> list[Expectation]:
    """Return what is always expected of the main table: rows, unique keys, times inside the
    interval (where the data have times), no empty columns.
    """
    time = spec.raw_event_time
    expectations: list[Expectation] = [
        _rows("warning" if spec.empty_batches == "allow" else "critical")
    ]
    expectations += [
        _expect("expect_column_values_to_not_be_null", column=c)
        for c in dict.fromkeys([*([time] if time else []), *spec.key])
    ]
    expectations += _times(time, interval, columns) if time else []
    unique = (
        "expect_column_values_to_be_unique"
        if len(spec.key) == 1
        else "expect_compound_columns_to_be_unique"
    )
    arguments: dict[str, Any] = (
        {"column": spec.key[0]} if len(spec.key) == 1 else {"column_list": list(spec.key)}
    )
    expectations.append(_expect(unique, **arguments))
    checked = {*([time] if time else []), *spec.key}
    return [*expectations, *_no_empty_columns(columns, suite, checked)]


def _times(time: str, interval: Interval, columns: Mapping[str, str]) -> list[Expectation]:
    """Return what is expected of the event times: that they are some, within the interval."""
    expectations = [
        _expect(
            "expect_column_values_to_be_in_type_list",
            column=time,
            type_list=["datetime64", "datetime64[us]"],
        )
    ]
    if str(columns.get(time, "")).startswith("timestamp"):
        span: dict[str, Any] = {
            "min_value": iso(interval.start)[:-1],
            "max_value": iso(interval.end)[:-1],
            "strict_max": True,
        }
        expectations.append(_expect("expect_column_values_to_be_between", column=time, **span))
    return expectations


def always_side(
    spec: Spec, table: str, columns: Mapping[str, str], suite: list[Expectation]
) -> list[Expectation]:
    """Return what is always expected of a side table.

    Rows, and no empty column that its suite names.

    Where a spec allows empty batches, a table whose rows have times may be empty too; one that
    holds at all times may not.
    """
    may_be_empty = spec.empty_batches == "allow" and spec.source.side.get(table) is not None
    return [
        _rows("warning" if may_be_empty else "critical"),
        *_no_empty_columns(columns, suite, set()),
    ]


def without_rows(expectations: list[Expectation]) -> list[Expectation]:
    """Return the expectations that a table without rows is judged by: those on their number."""
    return [e for e in expectations if e["type"].startswith("expect_table_row_count_to_")]


def _rows(severity: str = "critical") -> Expectation:
    # Great Expectations passes most expectations on no rows at all.
    return _expect("expect_table_row_count_to_be_between", severity, min_value=1)


def _no_empty_columns(
    columns: Mapping[str, str], suite: list[Expectation], other_columns: set[str]
) -> list[Expectation]:
    """A column of nulls passes most expectations.

    It is critical where the suite names the column, else a warning.
    """
    suite_columns = {e.get("kwargs", {}).get("column") for e in suite}
    other_columns = other_columns | {
        e["kwargs"].get("column") for e in suite if _asks_for_values(e)
    }
    return [
        _expect(
            "expect_column_values_to_not_be_null",
            "critical" if c in suite_columns else "warning",
            column=c,
            mostly=ANY_VALUE,
        )
        for c in columns
        if c not in other_columns
    ]


def _asks_for_values(expectation: Expectation) -> bool:
    """Tell whether the suite itself refuses a column of nulls."""
    severe = expectation.get("severity", "critical") == "critical"
    mostly = expectation.get("kwargs", {}).get("mostly", 1)
    some = isinstance(mostly, int | float) and mostly > 0
    return (
        severe
        and expectation["type"] == "expect_column_values_to_not_be_null"
        and some
        and "column" in expectation["kwargs"]
    )


def _expect(kind: str, severity: str = "critical", **kwargs: object) -> Expectation:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"always": True}}
