"""Great Expectations on Spark, in the driver: expectations on one Parquet file, judged by its
engine for Spark.

Loaded by `driver.py` alone, in the Python that has PySpark. Who asks has chosen expectations that
Spark judges as DuckDB and pandas do (`pipelines/validation/spark_alike.py`); no function of Python
is among them, so workers run none. Great Expectations' own Spark metrics make doubles of whole
numbers and Decimals and texts of times: those that are sums, ends or means take their place here.
"""

# mypy: disable-error-code="misc, untyped-decorator"
# ruff: noqa: N805, TID253 -- these classes extend Great Expectations, which hands them over

from __future__ import annotations

import decimal
import logging
import os
from datetime import datetime
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "False"

import great_expectations
from great_expectations import expectations as theirs
from great_expectations.core.batch import Batch
from great_expectations.execution_engine import SparkDFExecutionEngine
from great_expectations.expectations import metrics
from great_expectations.expectations.expectation_configuration import (
    ExpectationConfiguration,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import Validator
from pyspark.sql import functions as F  # noqa: N812 -- as PySpark calls it

# It warns of each metric that another one takes the place of.
logging.getLogger("great_expectations.expectations.registry").setLevel(logging.ERROR)

ROW = "row"
"""The column of positions; the others are called c0, c1 …"""
DIGITS = 100
"""Digits that means of Decimals are computed with, as in memory."""
FORMAT = {
    "result_format": "BASIC",
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}
"""Counts, and no values: bad rows' positions are asked for afterwards."""

KEPT = ("unexpected_count", "unexpected_percent", "observed_value")
"""What of a result becomes a finding."""


class _Between(theirs.ExpectColumnValuesToBeBetween):
    min_value: Any = None
    max_value: Any = None


class _Max(theirs.ExpectColumnMaxToBeBetween):
    min_value: Any = None
    max_value: Any = None


class _Min(theirs.ExpectColumnMinToBeBetween):
    min_value: Any = None
    max_value: Any = None


class _Mean(theirs.ExpectColumnMeanToBeBetween):
    min_value: Any = None
    max_value: Any = None


class _Sum(theirs.ExpectColumnSumToBeBetween):
    min_value: Any = None
    max_value: Any = None


EXACT = {kind.__mro__[1].expectation_type: kind for kind in (_Between, _Max, _Min, _Mean, _Sum)}
"""Those whose models would make floats of whole numbers and Decimals."""


SUMMED = {
    "expect_column_min_to_be_between": "least",
    "expect_column_max_to_be_between": "greatest",
    "expect_column_sum_to_be_between": "total",
    "expect_column_mean_to_be_between": "total",
    "expect_column_stdev_to_be_between": "deviation",
}
"""Of which figure of its column an expectation is made, beside the count."""


class Engine(SparkDFExecutionEngine):
    """Great Expectations' engine for Spark, which knows figures of some columns beforehand."""

    figures: dict[str, dict[str, Any]]

    def learn(self, frame: Any, wanted: dict[str, set[str]]) -> None:
        """Find the figures that are wanted of columns, all in one job."""
        made = {
            (column, what): _expression(what, F.col(column), _kind(frame, column))
            for column, figures in wanted.items()
            for what in sorted({"count", *figures})
        }
        row = frame.agg(*made.values()).collect()[0] if made else ()
        self.figures = {}
        for (column, what), value in zip(made, row, strict=True):
            whole = what == "total" and value is not None and _kind(frame, column) == "bigint"
            self.figures.setdefault(column, {"kind": _kind(frame, column)})[what] = (
                int(value) if whole else value
            )


def _kind(frame: Any, column: str) -> str:
    kind: str = frame.schema[column].dataType.simpleString()
    return kind


def _expression(what: str, column: Any, kind: str) -> Any:
    """Return what Spark computes for a figure: sums of whole numbers exactly."""
    if what == "total":
        return F.sum(column.cast("decimal(38,0)") if kind == "bigint" else column)
    return {"count": F.count, "least": F.min, "greatest": F.max, "deviation": F.stddev_samp}[what](
        column
    )


class _ColumnMax(metrics.ColumnMax):
    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        return execution_engine.figures[metric_domain_kwargs["column"]]["greatest"]


class _ColumnMin(metrics.ColumnMin):
    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        return execution_engine.figures[metric_domain_kwargs["column"]]["least"]


class _ColumnSum(metrics.ColumnSum):
    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        figures = execution_engine.figures[metric_domain_kwargs["column"]]
        nothing = 0.0 if figures["kind"] == "double" else 0
        return nothing if figures["total"] is None else figures["total"]


class _ColumnMean(metrics.ColumnMean):
    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        figures = execution_engine.figures[metric_domain_kwargs["column"]]
        return _ratio(figures["total"], figures["count"])


class _ColumnStandardDeviation(metrics.ColumnStandardDeviation):
    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        found = execution_engine.figures[metric_domain_kwargs["column"]]["deviation"]
        return float("nan") if found is None else found


def _ratio(amount: Any, count: int) -> Any:
    """Return a sum divided by a count, exactly where it can be."""
    if not count:
        return float("nan")
    if isinstance(amount, decimal.Decimal):
        with decimal.localcontext(prec=DIGITS):
            return amount / count
    if isinstance(amount, float):
        return amount / count
    return amount // count if amount % count == 0 else amount / count


def judge(session: Any, question: dict[str, Any], where: str) -> dict[str, Any]:
    """Return what Great Expectations finds on one file, by the numbers of the expectations."""
    columns = [f"{sql} AS c{place}" for place, sql in enumerate(question["columns"])]
    frame = session.read.parquet(where).selectExpr(*columns, f"_metadata.row_index AS {ROW}")
    engine = Engine(spark=session, persist=False)
    wanted: dict[str, set[str]] = {}
    for one in question["expectations"]:
        if one["type"] in SUMMED:
            wanted.setdefault(one["kwargs"]["column"], set()).add(SUMMED[one["type"]])
    engine.learn(frame, wanted)
    validator = Validator(execution_engine=engine, batches=[Batch(data=frame)])
    validator.metrics_calculator.show_progress_bars = False
    asked = {one["number"]: _configuration(one) for one in question["expectations"]}
    results = validator.graph_validate(
        configurations=list(asked.values()), runtime_configuration={"result_format": FORMAT}
    )
    found = {r.expectation_config.meta["number"]: _answer(r) for r in results}
    broken = {
        number: asked[number].to_domain_obj()
        for number, one in found.items()
        if not one.get("success", True) and one["result"].get("unexpected_count")
    }
    for number, positions in _positions(validator, broken, question["most"]).items():
        found[number]["result"]["unexpected_index_list"] = positions
    return {"results": found, "version": great_expectations.__version__}


def _configuration(one: dict[str, Any]) -> Any:
    kwargs = {name: _from_json(value) for name, value in one["kwargs"].items()}
    kind = EXACT[one["type"]].expectation_type if one["type"] in EXACT else one["type"]
    return ExpectationConfiguration(type=kind, kwargs=kwargs, meta={"number": one["number"]})


def _answer(result: Any) -> dict[str, Any]:
    """Return what was found, or why an expectation could not be judged."""
    info = result.exception_info or {}
    parts = [info] if "raised_exception" in info else [v for v in info.values() if v]
    raised = [p for p in parts if isinstance(p, dict) and p.get("raised_exception")]
    if raised:
        return {"why": "; ".join(dict.fromkeys(str(p.get("exception_message")) for p in raised))}
    facts = {name: _as_json(result.result[name]) for name in KEPT if name in result.result}
    return {"success": bool(result.success), "result": facts}


def _positions(validator: Any, broken: dict[int, Any], most: int) -> dict[int, list[int]]:
    """Return the first rows that broke each of the expectations on rows."""
    engine = validator.execution_engine
    conditions = {
        number: _condition(expectation, engine)
        for number, expectation in broken.items()
        if hasattr(expectation, "map_metric")
    }
    if not conditions:
        return {}
    resolved, _ = validator.metrics_calculator.compute_metrics(list(conditions.values()))
    found = {}
    for number, condition in conditions.items():
        is_broken, domain, accessors = resolved[condition.id]
        frame = engine.get_domain_records(domain_kwargs={**domain, **accessors})
        rows = frame.withColumn("broken", is_broken).filter("broken").select(ROW).orderBy(ROW)
        found[number] = [row[0] for row in rows.limit(most).collect()]
    return found


def _condition(expectation: Any, engine: Any) -> Any:
    """Return what tells of each row whether it broke an expectation."""
    dependencies = expectation.get_validation_dependencies(
        execution_engine=engine, runtime_configuration={"result_format": FORMAT}
    )
    counted = dependencies.metric_configurations[f"{expectation.map_metric}.unexpected_count"]
    return MetricConfiguration(
        f"{expectation.map_metric}.condition",
        counted.metric_domain_kwargs,
        counted.metric_value_kwargs,
    )


def _from_json(value: Any) -> Any:
    """Return a value as it was before it became JSON."""
    if isinstance(value, list):
        return [_from_json(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "time" in value:  # in UTC, as PySpark has it: this process lives in UTC
        return datetime.fromisoformat(value["time"]).replace(tzinfo=None)
    return decimal.Decimal(value["decimal"])


def _as_json(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, (list, tuple, set)):
        return [_as_json(one) for one in value]
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    return value.item() if hasattr(value, "item") else value
