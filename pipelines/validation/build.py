"""From an expectation as it is written to Great Expectations' own object.

Where it means nothing, the error says why.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pipelines.collector import paused_collection
from pipelines.validation.literals import UnfitLiteral, literals_for

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.validation.suites import Expectation

_OURS = {"batch_id", "result_format", "catch_exceptions"}
"""Arguments that are the runner's, which a saved suite may hold."""
SEVERITIES = ("critical", "warning", "info")
_TAKES = {
    "column": "the name of a column",
    "column_A": "the name of a column",
    "column_B": "the name of a column",
    "column_list": "a list of columns' names",
    "column_set": "a list of columns' names",
    "value_set": "a list",
    "type_list": "a list of types' names",
    "mostly": "a number from 0 to 1",
    "regex": "a regular expression",
    "regex_list": "a list of regular expressions",
    "severity": "critical, warning or info",
    "min_value": "a number or a time",
    "max_value": "a number or a time",
    "strict_min": "true or false",
    "strict_max": "true or false",
}
"""What an argument takes, in words."""
_UNSAFE = re.compile(r"@|__|\bimport\b")
"""What a condition on rows may not hold: pandas would read names of Python."""


class MeaninglessExpectation(ValueError):
    """An expectation that can never be judged, whatever the data; the message says why in words."""


def build_expectation(expectation: Expectation, schema: pa.Schema) -> Any:
    """Return Great Expectations' own object, with literals of the columns' types.

    Raises MeaninglessExpectation.

    A suite that is given plain values logs and *drops* what it does not know, and ids make it
    refuse an expectation.
    """
    with paused_collection():
        from great_expectations.compatibility.pydantic import ValidationError
        from great_expectations.exceptions import ExpectationNotFoundError
        from great_expectations.expectations.expectation_configuration import (
            ExpectationConfiguration,
        )

        from pipelines.validation.exact import EXACT

    kwargs = {k: v for k, v in expectation.get("kwargs", {}).items() if k not in _OURS}
    _refuse_what_is_not_read(kwargs)
    severity = expectation.get("severity", "critical")
    if severity not in SEVERITIES:
        raise MeaninglessExpectation(
            f"`severity` is {json.dumps(severity, default=str)[:80]}; it takes {_TAKES['severity']}"
        )
    try:
        # As it is written first: what their model has against it is said in the suite's own words.
        ExpectationConfiguration(
            type=expectation["type"], kwargs=kwargs, severity=severity
        ).to_domain_obj()
        literals = literals_for(expectation["type"], kwargs, schema)
        kind = (
            EXACT[expectation["type"]].expectation_type
            if expectation["type"] in EXACT
            else expectation["type"]
        )
        return ExpectationConfiguration(
            type=kind, kwargs=kwargs | literals, severity=severity
        ).to_domain_obj()
    except UnfitLiteral as error:
        raise MeaninglessExpectation(str(error)) from error
    except ValidationError as error:
        raise MeaninglessExpectation("; ".join(_in_plain_words(error, kwargs))) from error
    except ExpectationNotFoundError as error:
        raise MeaninglessExpectation(_no_such(expectation["type"])) from error
    except Exception as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise MeaninglessExpectation(f"Great Expectations does not take it: {words}") from error


def title(expectation: Expectation) -> str:
    """Return how messages name an expectation: its place in the file, its type, its column."""
    place = (expectation.get("meta") or {}).get("place")
    column = expectation.get("kwargs", {}).get("column")
    where = "" if place is None else f"expectations[{place}]: "
    return f"{where}{expectation['type']}" + (f" of {column}" if isinstance(column, str) else "")


def describe_expectation(expectation: Expectation) -> str:
    """Return an expectation as people read it: its column, what is expected, the arguments."""
    kwargs = expectation.get("kwargs", {})
    arguments = {k: v for k, v in kwargs.items() if k not in {*_OURS, "column"} and v is not None}
    what = str(expectation["type"]).removeprefix("expect_").replace("_", " ")
    extra = ", ".join(
        f"{k}={json.dumps(v, default=str)[:200]}" for k, v in sorted(arguments.items())
    )
    column = kwargs.get("column")
    return f"{f'{column}: ' if column else ''}{what}{f' ({extra})' if extra else ''}"


def _refuse_what_is_not_read(kwargs: dict[str, Any]) -> None:
    """Raise MeaninglessExpectation for arguments that Great Expectations would fill in from
    elsewhere, or would run as code.
    """
    if _holds_parameter(kwargs):
        raise MeaninglessExpectation(
            '{"$PARAMETER": …} is not filled in here; write the value itself'
        )
    if kwargs.get("windows"):
        raise MeaninglessExpectation("`windows` are not kept here; write the bounds themselves")
    condition = kwargs.get("row_condition")
    if isinstance(condition, str) and _UNSAFE.search(condition):
        raise MeaninglessExpectation("`row_condition` may name columns and values only")
    for name in ("regex", "regex_list"):
        value = kwargs.get(name)
        for pattern in value if isinstance(value, list) else [value]:
            _refuse_no_regex(name, pattern)


def _refuse_no_regex(name: str, pattern: Any) -> None:
    if not isinstance(pattern, str):
        return  # their model says so
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise MeaninglessExpectation(
            f"`{name}`: {pattern[:80]!r} is no regular expression: {error}"
        ) from error


def _holds_parameter(value: Any) -> bool:
    if isinstance(value, dict):
        return "$PARAMETER" in value or any(_holds_parameter(v) for v in value.values())
    return isinstance(value, list | tuple) and any(_holds_parameter(v) for v in value)


def _no_such(kind: str) -> str:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    near = get_close_matches(kind, list_registered_expectation_implementations(), 1)
    return "there is no such expectation" + (f"; {near[0]}?" if near else "")


def _in_plain_words(error: Any, kwargs: dict[str, Any]) -> list[str]:
    """Return what a model of Great Expectations says of its arguments, each argument once."""
    problems: dict[str, str] = {}
    for problem in error.errors():
        name, kind = str(problem["loc"][0]), str(problem["type"])
        if kind == "value_error.missing":
            words = f"`{name}` is missing"
        elif kind == "value_error.extra":
            words = f"it takes no `{name}`"
        elif name == "__root__":
            words = str(problem["msg"])
        else:
            takes = _TAKES.get(name)
            argument = f"`{name}` is {json.dumps(kwargs.get(name), default=str)[:80]}"
            words = (
                f"{argument}; it takes {takes}" if takes else f"{argument}, which it does not take"
            )
        problems.setdefault(name, words)
    return list(problems.values())
