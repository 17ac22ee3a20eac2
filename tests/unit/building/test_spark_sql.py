"""What Spark is asked, found without Spark."""

from __future__ import annotations

import ibis
import pytest
from ibis import _

from pipelines.building.spark_alike import ALIKE, DIGITS, why_may_differ
from pipelines.building.spark_compiler import OTHERWISE
from pipelines.building.spark_rows import compile_for_spark
from pipelines.errors import SpecError
from tests.spark import test_same_values as tried

SCHEMA = ibis.schema(
    {
        "id": "int64", "at": "timestamp('UTC')", "f": "float64", "g": "float64", "n": "int64",
        "m": "int64", "s": "string", "t": "timestamp('UTC')", "d": "date", "b": "boolean",
        "k": "string",
    }
)  # fmt: skip
EVENTS = ibis.table(SCHEMA, name="events")
SUBJECT = "models/m/features.py"


def test_what_counts_as_alike_is_what_is_tried_on_both_engines():
    built = tried.build({"events": EVENTS})
    assert tried.names_of(built) - ALIKE == set()
    beside = {
        # what the tests of the models hold, or what joins no values
        *("Alias", "DatabaseTable", "DropColumns", "Filter", "Distinct", "Union", "UnboundTable"),
    }
    assert ALIKE - tried.names_of(built) - beside == set()


def test_what_differs_is_not_among_what_is_alike():
    assert not (ALIKE & DIGITS)
    assert not (ALIKE & OTHERWISE.keys())


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda t: t.mutate(x=_.f.sum().over(group_by="k")), "order of rows matters"),
        (lambda t: t.mutate(x=_.f.sin()), "last digit of Sin is each engine's own"),
        (lambda t: t.mutate(x=_.s.levenshtein(_.k)), "Levenshtein was not tried"),
        (lambda t: t.mutate(x=_.n + 1), ""),
    ],
)
def test_what_may_differ_is_said(build, why):
    assert why in why_may_differ(build(EVENTS))
    assert bool(why) == bool(why_may_differ(build(EVENTS)))


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda t: t.mutate(x=_.s.hash()), "Hash"),
        (lambda t: t.mutate(x=ibis.random()), "RandomScalar"),
        (lambda t: t.mutate(x=_.t.delta(_.at, unit="day")), "TimestampDelta"),
        (lambda t: t.asof_join(t.view(), "at"), "JoinLink"),
        (lambda t: t.mutate(x=_.t.bucket(minutes=5)), "TimestampBucket"),
    ],
)
def test_what_spark_cannot_is_named(build, name):
    with pytest.raises(SpecError, match=f"{name} is not for Spark") as caught:
        compile_for_spark(build(EVENTS), SUBJECT)
    assert "engines: {features: duckdb, drift: duckdb}" in caught.value.remedy


def test_a_name_may_hold_any_sign():
    table = ibis.table({"a`b": "int64", "c d": "string"}, name="odd `name")
    sql = compile_for_spark(table.mutate(x=table["a`b"] + 1), SUBJECT).sql
    assert "`odd ``name`" in sql
    assert "`a``b` + 1" in sql


def test_tables_that_the_code_makes_go_along():
    extra = ibis.memtable({"k": ["x"], "weight": [1.5]})
    found = compile_for_spark(EVENTS.left_join(extra, "k"), SUBJECT)
    assert [list(op.schema.names) for op in found.made.values()] == [["k", "weight"]]
