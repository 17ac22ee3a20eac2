"""What was found of one expectation, as a plain value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.refs import Value
from pipelines.validation.build import MeaninglessExpectation, describe_expectation
from pipelines.validation.types import TYPE_EXPECTATIONS, is_one_of_types, is_type

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.validation.suites import Expectation

_SHOWN = 300
"""Characters of what was found that a finding keeps."""
MOST_POSITIONS = 10_000
"""Positions of bad rows that a finding keeps; their number is always complete."""
_NO_PROVIDER = "No provider found for"
"""How Great Expectations begins its message where its pandas engine lacks an expectation."""


class ExpectationResult(Value):
    """One expectation's result.

    `bad` is the number of rows that broke it, `rows` the positions of the first MOST_POSITIONS of
    them (empty for expectations on a table).
    """

    table: str
    expectation: str
    severity: str
    success: bool
    observed: str
    bad: int
    rows: list[int]

    @property
    def critical(self) -> bool:
        """Whether the batch must not go on."""
        return not self.success and self.severity == "critical"


def check_type(table: str, schema: pa.Schema, expectation: Expectation) -> ExpectationResult:
    """Return the result of an expectation on a column's type.

    Raises MeaninglessExpectation where no name of it means anything here.
    """
    kwargs = expectation["kwargs"]
    names = kwargs.get(TYPE_EXPECTATIONS[expectation["type"]])
    column = kwargs["column"]
    severity = str(expectation.get("severity", "critical"))
    if column not in schema.names:
        words = f'The column "{column}" does not exist'
        return ExpectationResult(
            table=table,
            expectation=describe_expectation(expectation),
            severity="critical",
            success=False,
            observed=words,
            bad=0,
            rows=[],
        )
    kind = schema.field(column).type
    is_met = (
        True
        if names is None
        else is_type(kind, names)
        if isinstance(names, str)
        else is_one_of_types(kind, names)
    )
    if is_met is None:
        raise MeaninglessExpectation(
            f"no type is called {json.dumps(names)[:80]}; write int64, float64, bool, str,"
            " datetime64 or Decimal"
        )
    return ExpectationResult(
        table=table,
        expectation=describe_expectation(expectation),
        severity=severity,
        success=is_met,
        observed=str(kind),
        bad=0,
        rows=[],
    )


def met(table: str, expectation: Expectation, observed: str, bad: int) -> ExpectationResult:
    """Return the result of an expectation that is proven to be met."""
    return ExpectationResult(
        table=table,
        expectation=describe_expectation(expectation),
        severity=str(expectation.get("severity", "critical")),
        success=True,
        observed=observed,
        bad=bad,
        rows=[],
    )


def make_result(table: str, expectation: Expectation, result: Any) -> ExpectationResult:
    """Return Great Expectations' result, or the exception that ended it, as a plain value."""
    why = exception_text(result)
    body = {} if isinstance(result, Exception) else result.result or {}
    positions = body.get("unexpected_index_list") or []
    rows = sorted(map(int, positions))[:MOST_POSITIONS]
    met = not why and bool(result.success)
    return ExpectationResult(
        table=table,
        expectation=describe_expectation(expectation),
        # An expectation that cannot be judged was not met: an exception is never a pass, and never
        # a mere warning.
        severity="critical" if why else str(expectation.get("severity", "critical")),
        success=met,
        observed=(
            f"it cannot be judged: {why}" if why else body.get("sample", "") + _observation(body)
        )[:_SHOWN],
        bad=int(body.get("unexpected_count") or len(positions)),
        # With `mostly` an expectation may be met although rows broke it; those are no bad rows.
        rows=[] if met else rows,
    )


def exception_text(result: Any) -> str:
    """Return what Great Expectations says of an exception, each thing once.

    "" where there was none.
    """
    if isinstance(result, Exception):
        return f"{type(result).__name__}: {' '.join(str(result).split())}"
    info = result.exception_info
    if not isinstance(info, dict):
        return ""
    parts = (
        [info] if "raised_exception" in info else [v for v in info.values() if isinstance(v, dict)]
    )
    messages = [
        " ".join(str(p.get("exception_message")).split())
        for p in parts
        if p.get("raised_exception")
    ]
    return "; ".join(dict.fromkeys(messages))


def unknown_here(result: Any) -> str:
    """Return why the expectation can never be judged here; "" where it can."""
    return (
        "it can be asked of a database only, not of a table"
        if _NO_PROVIDER in exception_text(result)
        else ""
    )


def _observation(body: dict[str, Any]) -> str:
    if body.get("unexpected_count"):
        beyond = len(body.get("unexpected_index_list") or []) > MOST_POSITIONS
        return (
            f"{body['unexpected_count']} bad rows"
            f" ({float(body.get('unexpected_percent') or 0):.2f} %)"
            + (f", the first {MOST_POSITIONS} of which are kept" if beyond else "")
        )
    return str(body["observed_value"]) if "observed_value" in body else ""
