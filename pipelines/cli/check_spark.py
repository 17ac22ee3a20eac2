"""What `check` says of Spark: whether it could build the features, and what it does not judge.

Neither Spark nor Java need be there for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.plurals import how_many

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.validation.suites import Expectation

NAMED = 5
"""Expectations that are named."""


def say_build(state: dict[str, Any]) -> str:
    """Return whether Spark could build the features; "" where it shall not."""
    from pipelines import user_code
    from pipelines.data.feature_rows import build_timeout, subject_of, tables_of
    from pipelines.spark.place import spark_of

    context: Context = state["context"]
    resources, settings = context.spec.resources, context.settings
    place = spark_of(resources, settings, "features") or spark_of(resources, settings, "drift")
    if place is None:
        return ""
    notes = user_code.call_judge_for_spark(
        context.folder / "features.py",
        tables_of(context, state["raws"], state["interval"]),
        subject_of(context.folder),
        build_timeout(context),
        context.paths,
    )
    text = f"build can be written for Spark ({place.master})"
    if not notes:
        return f"{text}, with the rows that DuckDB gives"
    return f"{text}; WARNING: rows may be other than DuckDB's in some digits or values: {notes}"


def say_unjudged(context: Context, table: pa.Table, expectations: list[Expectation]) -> list[str]:
    """Return in words which of a table's expectations Spark does not judge, though it shall."""
    from pipelines.spark.place import spark_of
    from pipelines.validation.build import build_expectation, title
    from pipelines.validation.run import NO_ROWS
    from pipelines.validation.spark_alike import why_not_on_spark
    from pipelines.validation.types import TYPE_EXPECTATIONS

    if spark_of(context.spec.resources, context.settings, "validate") is None:
        return []
    found = []
    for one in expectations:
        if one["type"] in NO_ROWS or one["type"] in TYPE_EXPECTATIONS:
            continue  # which the columns' names and types decide
        why = why_not_on_spark(one, table.schema, build_expectation(one, table.schema))
        found += [f"{title(one)}: {why}"] if why else []
    return found


def list_unjudged(unjudged: list[str]) -> str:
    """Return one sentence of what Spark does not judge; "" where there is no such thing."""
    if not unjudged:
        return ""
    many = how_many(len(unjudged), "expectation is", "expectations are")
    more = f" | and {len(unjudged) - NAMED} more" if len(unjudged) > NAMED else ""
    return f"{many} not judged on Spark, but here: {' | '.join(unjudged[:NAMED])}{more}"
