"""Run expectations with Great Expectations and return plain values: what was expected, what
was observed, which rows broke it.

What is judged is what is kept (`judged_frame`), against literals of the columns' own types
(`literals_for`). What a suite itself has wrong is a SpecError; what goes wrong on the data is a
finding of that one expectation, and critical.
"""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import SpecError
from pipelines.validation.build import MeaninglessExpectation, build_expectation, title
from pipelines.validation.columns import judged_frame, refuse_double_names
from pipelines.validation.proofs import Figures, TableFigures, prove
from pipelines.validation.results import (
    ExpectationResult,
    check_type,
    make_result,
    met,
    unknown_here,
)
from pipelines.validation.types import TYPE_EXPECTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import pyarrow as pa

    from pipelines.validation.suites import Expectation


NO_ROWS = frozenset(
    {
        "expect_column_to_exist",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
    }
)
"""What the columns' names decide."""


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
    return check_rows(name, TableRows(name, table), expectations, subject, proofs=proofs)


class Rows(Protocol):
    """The rows of a table, in memory or not."""

    @property
    def figures(self) -> Figures:
        """What is known of them without Great Expectations."""
        ...

    def judge(self, objects: dict[int, Any], expectations: list[Expectation]) -> dict[int, Any]:
        """Return Great Expectations' result of each of its objects, by number, or its exception."""
        ...


class TableRows:
    """The rows of a table in memory."""

    def __init__(self, name: str, table: pa.Table) -> None:
        """Remember the table."""
        self.figures: Figures = TableFigures(table)
        self._name = name
        self._table = table

    def judge(self, objects: dict[int, Any], expectations: list[Expectation]) -> dict[int, Any]:
        """Return Great Expectations' result of each of its objects."""
        names = {n: o for n, o in objects.items() if expectations[n]["type"] in NO_ROWS}
        others = {n: o for n, o in objects.items() if n not in names}
        # Great Expectations hashes each frame that it is given, twice.
        results = results_of(self._name, judged_frame(self._table.slice(0, 1)), names)
        if others:
            results |= results_of(self._name, judged_frame(self._table), others)
        return results


def check_rows(
    name: str,
    rows: Rows,
    expectations: list[Expectation],
    subject: str,
    *,
    proofs: bool = True,
    asks: Callable[[Expectation, Any], bool] = lambda *_: False,
) -> list[ExpectationResult]:
    """Return a finding for each expectation on the rows. Raises as `check_table` does.

    What `asks` tells of an expectation and Great Expectations' own object is never proven.
    """
    schema = rows.figures.schema
    refuse_double_names(schema)
    findings: dict[int, ExpectationResult] = {}
    objects: dict[int, Any] = {}
    problems = []
    for number, expectation in enumerate(expectations):
        try:
            ready = build_expectation(expectation, schema)
            if expectation["type"] in TYPE_EXPECTATIONS:
                findings[number] = check_type(name, schema, expectation)
            elif (
                proofs
                and not asks(expectation, ready)
                and (proof := prove(rows.figures, expectation, ready)) is not None
            ):
                findings[number] = met(name, expectation, *proof)
            else:
                objects[number] = ready
        except MeaninglessExpectation as error:
            problems.append(f"{subject}: {title(expectation)}: {error}")
    if not problems and objects:
        results = rows.judge(objects, expectations)
        problems = [
            f"{subject}: {title(expectations[n])}: {unknown_here(r)}"
            for n, r in results.items()
            if unknown_here(r)
        ]
        findings |= {
            number: make_result(name, expectations[number], result)
            for number, result in results.items()
        }
    if problems:
        raise SpecError("\n".join(problems), remedy=f"mend {subject}; `perennial check` runs it.")
    return [findings[number] for number in sorted(findings)]


def results_of(name: str, frame: pd.DataFrame, expectations: dict[int, Any]) -> dict[int, Any]:
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
            for n, r in results_of(name, frame, {number: one}).items()
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
