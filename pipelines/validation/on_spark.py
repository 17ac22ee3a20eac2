"""Expectations on a batch's file, judged by Great Expectations on Spark.

What it judges there as it does in memory (`spark_alike`) is asked of Spark in one question; all
else is judged here, as ever. What comes back has the form of the other ways, so a finding reads the
same. See docs/decisions/0111-spark-judges-batches.md.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pipelines.errors import GiveUp
from pipelines.spark.failures import known_failure, shorten
from pipelines.spark.session import session_at
from pipelines.validation.results import MOST_POSITIONS, ExpectationResult
from pipelines.validation.run import Rows, check_rows
from pipelines.validation.spark_alike import columns_of, kind_of, spark_regex, why_not_on_spark

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.spark.place import SparkPlace
    from pipelines.validation.proofs import Figures
    from pipelines.validation.suites import Expectation

log = logging.getLogger("perennial")

_LIBRARY = "great-expectations"
_COLUMNS = ("column", "column_list")
_TOO_LARGE = "spark.driver.maxResultSize"
"""What Spark names where one answer has more values than its driver takes; it goes on then."""


def check_on_spark(
    name: str,
    path: Path,
    expectations: list[Expectation],
    subject: str,
    place: SparkPlace,
    here: Rows,
) -> list[ExpectationResult]:
    """Return a finding for each expectation on the Parquet file, as `check_table` does.

    `here` are the same rows, for what Spark does not judge. Raises also what Spark's session does.
    """
    rows = SparkRows(name, path, place, here)
    return check_rows(name, rows, expectations, subject, asks=rows.asks)


class SparkRows:
    """The rows of a Parquet file that Spark reads."""

    def __init__(self, name: str, path: Path, place: SparkPlace, here: Rows) -> None:
        """Remember the file; Spark is asked later."""
        self.figures: Figures = here.figures
        self._name = name
        self._path = path
        self._place = place
        self._here = here

    def asks(self, expectation: Expectation, ready: Any) -> bool:
        """Tell whether Spark judges an expectation."""
        return not why_not_on_spark(expectation, self.figures.schema, ready)

    def judge(self, objects: dict[int, Any], expectations: list[Expectation]) -> dict[int, Any]:
        """Return the result of each of the objects: Spark's, or as it is found here."""
        why = {
            n: why_not_on_spark(expectations[n], self.figures.schema, ready)
            for n, ready in objects.items()
        }
        asked = {n: objects[n] for n in objects if not why[n]}
        found = self._ask(asked, expectations) if asked else {}
        results = {n: one for n, one in found.items() if not isinstance(one, str)}
        why |= {n: one for n, one in found.items() if isinstance(one, str)}
        log.info("table %s: %d expectations judged on Spark", self._name, len(results))
        rest = {n: ready for n, ready in objects.items() if n not in results}
        for number in rest:
            kind = expectations[number]["type"]
            log.info("table %s: %s judged here: %s", self._name, kind, why[number])
        return {**results, **(self._here.judge(rest, expectations) if rest else {})}

    def _ask(self, objects: dict[int, Any], expectations: list[Expectation]) -> dict[int, Any]:
        """Return by number Spark's result, or in words why there is none.

        Raises what befell Spark itself.
        """
        named = [c for n in objects for c in columns_of(expectations[n])]
        columns = {c: f"c{place}" for place, c in enumerate(dict.fromkeys(named))}
        session = session_at(self._place)
        answer = session.ask(
            {
                "what": "judge",
                "file": str(self._path),
                "columns": [self._sql(column) for column in columns],
                "expectations": [
                    {
                        "number": number,
                        "type": expectations[number]["type"],
                        "kwargs": self._arguments(expectations[number], ready, columns),
                    }
                    for number, ready in objects.items()
                ],
                "most": MOST_POSITIONS + 1,
            }
        )
        refuse_other_version(answer["version"], self._place)
        found: dict[int, Any] = {}
        for number, one in answer["results"].items():
            if "why" not in one:
                found[int(number)] = _as_theirs(one)
                continue
            failure = known_failure(one["why"], self._place)
            if failure is not None and _TOO_LARGE not in one["why"]:
                if failure.ends_session:
                    session.end()
                raise failure.error
            found[int(number)] = shorten(one["why"])
        return found

    def _sql(self, column: str) -> str:
        """Return what Spark reads a column by: the values that `judged_frame` has."""
        name, kind = quote(column), kind_of(self.figures.schema.field(column).type)
        if kind == "whole":
            return f"CAST({name} AS BIGINT)"
        if kind == "float":
            return f"CASE WHEN isnan({name}) THEN NULL ELSE CAST({name} AS DOUBLE) END"
        return f"CAST({name} AS TIMESTAMP)" if kind in {"time", "date"} else name

    def _arguments(
        self, expectation: Expectation, ready: Any, columns: dict[str, str]
    ) -> dict[str, Any]:
        """Return an expectation's arguments for Spark, as JSON can hold them."""
        kind, written = expectation["type"], expectation["kwargs"]
        exact = kind == "expect_column_values_to_be_between"
        arguments: dict[str, Any] = {}
        for name, value in written.items():
            if value is None:
                continue
            if name in _COLUMNS:
                is_one = isinstance(value, str)
                arguments[name] = columns[value] if is_one else [columns[c] for c in value]
            elif name == "regex":
                arguments[name] = spark_regex(value)
            elif name in {"min_value", "max_value", "value_set"}:
                whole = exact and self._is_whole(written["column"])
                arguments[name] = _as_json(getattr(ready, name), exact=whole)
            else:
                arguments[name] = value
        return arguments

    def _is_whole(self, column: str) -> bool:
        return kind_of(self.figures.schema.field(column).type) == "whole"


def quote(name: str) -> str:
    """Return a column's name as Spark's SQL writes it."""
    return "`" + name.replace("`", "``") + "`"


def _as_json(value: Any, *, exact: bool = False) -> Any:
    """Return a literal as JSON can hold it; where `exact`, a float as the Decimal that it is."""
    if isinstance(value, list | tuple | set):
        return [_as_json(one) for one in value]
    if isinstance(value, datetime):
        return {"time": value.astimezone(UTC).isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if exact and isinstance(value, float):
        return {"decimal": format(Decimal(value), "f")}
    return value


def _as_theirs(answer: dict[str, Any]) -> Any:
    """Return Spark's answer as Great Expectations' result in memory is."""
    body = {name: _from_json(value) for name, value in answer["result"].items()}
    return SimpleNamespace(success=answer["success"], result=body, exception_info={})


def _from_json(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, list):
        return [_from_json(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "time" in value:
        return pd.Timestamp(value["time"], tz="UTC")
    return Decimal(value["decimal"])


def refuse_other_version(theirs: str, place: SparkPlace) -> None:
    """Raise GiveUp where another version judges: it may have other findings."""
    if theirs != version(_LIBRARY):
        raise GiveUp(
            f"{place.python} has Great Expectations {theirs}, and this is {version(_LIBRARY)}.",
            remedy=f"install {_LIBRARY}=={version(_LIBRARY)} there, or run `make spark`.",
        )
