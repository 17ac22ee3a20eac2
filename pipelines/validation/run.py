"""Run expectations with Great Expectations and return plain values: what was expected, what
was observed, which rows broke it.

What is judged is what is kept (`judged_frame`), against literals of the columns' own types
(`literals_for`). What a suite itself has wrong is a SpecError; what goes wrong on the data is a
finding of that one expectation, and critical.
"""

from __future__ import annotations

import json
from copy import copy
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from pipelines.errors import SpecError
from pipelines.refs import Value
from pipelines.validation.build import (
    MeaninglessExpectation,
    build_expectation,
    describe_expectation,
    title,
)
from pipelines.validation.columns import judged_frame, refuse_double_names
from pipelines.validation.proofs import prove
from pipelines.validation.types import TYPE_EXPECTATIONS, is_one_of_types, is_type

if TYPE_CHECKING:
    import pandas as pd
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


def check_table(
    name: str,
    table: pa.Table,
    expectations: list[Expectation],
    subject: str,
    *,
    proofs: bool = True,
) -> list[ExpectationResult]:
    """Return a finding for each expectation on the table, in their order.

    With `proofs` Great Expectations is not asked for what Arrow proves to be met.

    Raises SpecError, naming the suite and every expectation of it that means nothing (`subject` is
    the suite's file as people know it); BadData where the table has two columns of one name.
    """
    refuse_double_names(table)
    findings: dict[int, ExpectationResult] = {}
    objects: dict[int, Any] = {}
    problems = []
    for number, expectation in enumerate(expectations):
        try:
            ready = build_expectation(expectation, table.schema)
            if expectation["type"] in TYPE_EXPECTATIONS:
                findings[number] = _check_type(name, table.schema, expectation)
            elif proofs and (proof := prove(table, expectation, ready)) is not None:
                findings[number] = _met(name, expectation, *proof)
            else:
                objects[number] = ready
        except MeaninglessExpectation as error:
            problems.append(f"{subject}: {title(expectation)}: {error}")
    if not problems and objects:
        results = _results(name, judged_frame(table), objects)
        problems = [
            f"{subject}: {title(expectations[n])}: {_unknown_here(r)}"
            for n, r in results.items()
            if _unknown_here(r)
        ]
        findings |= {
            number: _make_result(name, expectations[number], result)
            for number, result in results.items()
        }
    if problems:
        raise SpecError("\n".join(problems), remedy=f"mend {subject}; `perennial check` runs it.")
    return [findings[number] for number in sorted(findings)]


def _results(name: str, frame: pd.DataFrame, expectations: dict[int, Any]) -> dict[int, Any]:
    """Return Great Expectations' result by number, or the exception that ended an expectation."""
    try:
        return _validate(name, frame, expectations)
    except MemoryError:
        raise
    # Whatever it raises: the others are asked one by one.
    except Exception as error:  # noqa: BLE001
        if len(expectations) == 1:
            return dict.fromkeys(expectations, error)
        return {
            n: r
            for number, one in expectations.items()
            for n, r in _results(name, frame, {number: one}).items()
        }


def _validate(name: str, frame: pd.DataFrame, expectations: dict[int, Any]) -> dict[int, Any]:
    import great_expectations as gx

    if not expectations:
        return {}
    for number, expectation in expectations.items():
        expectation.meta = {"number": number}  # the results come in another order
    # it keeps them for itself
    suite = gx.ExpectationSuite(name=name, expectations=[copy(e) for e in expectations.values()])
    own = f"{name}-{next(_NUMBERS)}"
    definition = (
        _context()
        .data_sources.add_pandas(own)
        .add_dataframe_asset(own)
        .add_batch_definition_whole_dataframe("all")
    )
    # The batch validates by itself: a ValidationDefinition would also store every result in its
    # context, for a fifth more time.

    batch = definition.get_batch(batch_parameters={"dataframe": frame})
    result_format = {"result_format": "COMPLETE", "return_unexpected_index_query": False}
    results = batch.validate(suite, result_format=result_format)
    return {r.expectation_config.meta["number"]: r for r in results.results}


_NUMBERS = count()  # names within one context must differ


@lru_cache(maxsize=1)
def _context() -> Any:
    """Return this process's context: each new one costs a temporary folder."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def _check_type(table: str, schema: pa.Schema, expectation: Expectation) -> ExpectationResult:
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
    met = (
        True
        if names is None
        else is_type(kind, names)
        if isinstance(names, str)
        else is_one_of_types(kind, names)
    )
    if met is None:
        raise MeaninglessExpectation(
            f"no type is called {json.dumps(names)[:80]}; write int64, float64, bool, str,"
            " datetime64 or Decimal"
        )
    return ExpectationResult(
        table=table,
        expectation=describe_expectation(expectation),
        severity=severity,
        success=met,
        observed=str(kind),
        bad=0,
        rows=[],
    )


def _met(table: str, expectation: Expectation, observed: str, bad: int) -> ExpectationResult:
    return ExpectationResult(
        table=table,
        expectation=describe_expectation(expectation),
        severity=str(expectation.get("severity", "critical")),
        success=True,
        observed=observed,
        bad=bad,
        rows=[],
    )


def _make_result(table: str, expectation: Expectation, result: Any) -> ExpectationResult:
    why = _exception_text(result)
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
        observed=(f"it cannot be judged: {why}" if why else _observation(body))[:_SHOWN],
        bad=int(body.get("unexpected_count") or len(positions)),
        # With `mostly` an expectation may be met although rows broke it; those are no bad rows.
        rows=[] if met else rows,
    )


def _exception_text(result: Any) -> str:
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


def _unknown_here(result: Any) -> str:
    """Return why the expectation can never be judged here; "" where it can."""
    return (
        "it can be asked of a database only, not of a table"
        if _NO_PROVIDER in _exception_text(result)
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
