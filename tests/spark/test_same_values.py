"""What `build` can say gives the same values on Spark as on DuckDB: for odd values too."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis import _

from pipelines.building.files import build_file
from pipelines.building.question import BuildQuestion, RawTable
from pipelines.tables import from_parquet

pytestmark = [pytest.mark.slow]

START = datetime(2024, 1, 1, tzinfo=UTC)
SUBJECT = "models/m/features.py"
ROWS = 24


def rows() -> pa.Table:
    """Rows with null, NaN, infinity, zero, negative numbers, odd texts and times."""
    odd = [0.0, -0.0, 1.5, -2.5, 2.5, None, math.nan, 1e300, -1e-300, 0.1, 3.0, 1e16]
    texts = [
        "a.b|c",
        "",
        None,
        "Ärger",
        " x ",
        "a%_b",
        "x\\y",
        "A.B",
        "ab\nc",
        "日本",
        "a'b`c",
        ".",
    ]
    numbers = [0, 1, -1, 7, None, -7, 2**53, 13, 3, -3, 10, 2]
    moments = [
        START + timedelta(days=i * 37, seconds=i * 3_607, microseconds=i * 7) for i in range(12)
    ]
    moments[5] = None
    moments[6] = datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    days = [date(2024, 1, 1) + timedelta(days=i * 37) for i in range(12)]
    days[3] = None
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "at": pa.array(
                [START + timedelta(hours=i // 2) for i in range(ROWS)], pa.timestamp("us", "UTC")
            ),
            "f": pa.array(odd * 2, pa.float64()),
            "g": pa.array([*odd[1:], odd[0]] * 2, pa.float64()),
            "n": pa.array(numbers * 2, pa.int64()),
            "m": pa.array([*numbers[3:], *numbers[:3]] * 2, pa.int64()),
            "s": pa.array(texts * 2, pa.string()),
            "t": pa.array(moments * 2, pa.timestamp("us", "UTC")),
            "d": pa.array(days * 2, pa.date32()),
            "b": pa.array([True, False, None] * 8, pa.bool_()),
            "k": pa.array(["x", "y", "z", None] * 6, pa.string()),
        }
    )


VALUES = {
    "quotient": _.n / _.m,
    "float_quotient": _.f / _.g,
    "whole": _.n // 3,
    "rest": _.n % 5,
    "sums": _.n + _.m.fill_null(0),
    "product": _.n.clip(-9, 9) * _.f,
    "difference": _.n - _.m.clip(-9, 9),
    "negative": -_.n,
    "at_least": _.n >= _.m,
    "at_most": _.f <= _.g,
    "unlike": _.s != _.k,
    "power": _.n.clip(-3, 3) ** 2,
    "absolute": _.n.abs(),
    "rounded": _.f.clip(-1e6, 1e6).round(),
    "rounded_1": _.f.clip(-1e6, 1e6).round(1),
    "up": _.f.clip(-1e6, 1e6).ceil(),
    "down": _.f.clip(-1e6, 1e6).floor(),
    "sign": _.n.sign(),
    "root": _.f.abs().clip(0, 1e6).sqrt(),
    "is_nan": (_.f / _.g).isnan(),
    "is_inf": (_.f / _.g).isinf(),
    "is_null": (_.f / _.g).isnull(),
    "not_null": (_.f / _.g).notnull(),
    "filled": _.f.fill_null(-1),
    "null_if": _.n.nullif(7),
    "coalesced": ibis.coalesce(_.f, _.g, 1.0),
    "greatest": ibis.greatest(_.n, _.m),
    "least": ibis.least(_.f, _.g),
    "between": _.n.between(0, 10),
    "is_in": _.n.isin([1, 7]),
    "branch": ibis.ifelse(_.n > _.m, _.n, _.m),
    "cases": ibis.cases((_.n > 5, "many"), (_.n > 0, "few"), else_="none"),
    "compared": _.f > _.g,
    "and_or": (_.b & (_.n > 0)) | ~_.b,
    "bool_number": _.b.cast("int64"),
    "to_float": _.n.cast("float64"),
    "to_text": _.n.cast("string"),
    "try_number": _.s.try_cast("int64"),
    "length": _.s.length(),
    "upper": _.s.upper(),
    "lower": _.s.lower(),
    "stripped": _.s.strip(),
    "part": _.s.substr(1, 2),
    "left": _.s.left(2),
    "right": _.s.right(2),
    "joined": _.s + "-" + _.k,
    "concat": _.s.concat("_", _.k),
    "contains": _.s.contains("."),
    "starts": _.s.startswith("a"),
    "ends": _.s.endswith("c"),
    "like": _.s.like("a%"),
    "replaced": _.s.replace(".", "!"),
    "at_dot": _.s.split(".")[0],
    "after_dot": _.s.split(".")[1],
    "at_bar": _.s.split("|")[-1],
    "found": _.s.find("b"),
    "pattern": _.s.re_search("[a-c]+"),
    "extracted": _.s.re_extract("([a-z]+)", 1),
    "padded": _.k.lpad(3, "0"),
    "reversed": _.s.reverse(),
    "repeated": _.k.repeat(2),
    "seconds": _.t.truncate("s").epoch_seconds(),
    "hour_number": (_.t.epoch_seconds() // 3_600).cast("int64"),
    "moment": _.n.clip(-10_000_000_000, 10_000_000_000).as_timestamp("s"),
    "year": _.t.year(),
    "month": _.t.month(),
    "day": _.t.day(),
    "hour": _.t.hour(),
    "minute": _.t.minute(),
    "second": _.t.second(),
    "weekday": _.t.day_of_week.index(),
    "weekday_name": _.t.day_of_week.full_name(),
    "day_of_year": _.t.day_of_year(),
    "week": _.t.week_of_year(),
    "quarter": _.t.quarter(),
    "to_day": _.t.truncate("D"),
    "to_month": _.t.truncate("M"),
    "to_week": _.t.truncate("W"),
    "date": _.t.date(),
    "formatted": _.t.strftime("%Y-%m-%d"),
    "later": _.t + ibis.interval(hours=5),
    "before": _.t < ibis.timestamp("2024-06-01T00:00:00+00:00"),
    "weekday_of_day": _.d.day_of_week.index(),
    "month_of_day": _.d.month(),
}
"""One value of a row each."""

WITHIN = ibis.window(group_by="k", order_by="id")
WINDOWS = {
    "before_it": _.n.lag().over(WITHIN),
    "behind_it": _.n.lead(2, default=-1).over(WITHIN),
    "place": ibis.row_number().over(WITHIN),
    "rank": ibis.rank().over(ibis.window(group_by="k", order_by="n")),
    "rank_down": ibis.dense_rank().over(ibis.window(group_by="k", order_by=ibis.desc("f"))),
    "so_far": _.n.clip(-100, 100).cumsum().over(WITHIN),
    "last_3": _.n.clip(-9, 9).sum().over(ibis.window(group_by="k", order_by="id", rows=(-3, 0))),
    "near": _.n.count().over(ibis.window(order_by="id", range=(-4, -2))),
    "most": _.n.max().over(group_by="k"),
    "first": _.n.first().over(WITHIN),
    "mean": _.n.clip(-9, 9).mean().over(group_by="k"),
}
"""Values of several rows."""

GROUPS = {
    "rows_of": ibis._.count(),
    "known": _.n.count(),
    "kinds": _.n.nunique(),
    "sum": _.n.clip(-9, 9).sum(),
    "sum_where": _.n.clip(-9, 9).sum(where=_.b),
    "mean_where": _.n.clip(-9, 9).mean(where=_.n > 0),
    "least_of": _.f.min(),
    "most_of": _.s.max(),
    "any_of": _.b.any(),
    "all_of": _.b.all(),
    "spread": _.n.clip(-9, 9).std().round(9),
    "middle": _.n.median(),
    "count_where": (_.n > 0).sum(),
    "best": _.id.argmax(_.id),
}
"""Values of a group."""


def build(tables):
    """All of it at once: one question is answered in seconds, however much it asks."""
    table = tables["events"]
    extra = ibis.memtable({"k": ["x", "y"], "weight": [1.5, 2.5]})
    groups = table.group_by("k").agg(**GROUPS)
    return (
        table.mutate(**VALUES, **WINDOWS)
        .left_join(groups, "k")
        .drop("k_right")
        .left_join(extra, "k")
        .drop("k_right")
    )


def names_of(table):
    import ibis.expr.operations as ops

    return {type(node).__name__ for node in table.op().find(ops.Node)}


def question(folder, names, spark=None, **changes):
    kinds = pq.read_schema(folder / "raw.parquet")
    raw = RawTable(
        files=[str(folder / "raw.parquet")], columns=kinds.names, floats=["f", "g"], time="at"
    )
    fields = {
        "tables": {"events": raw},
        "since": START,
        "start": START,
        "end": START + timedelta(days=2),
        "event_time": "at",
        "order": ["at", "id"],
        "columns": names,
        "inputs": [],
        "derived": None,
        "memory": 2**29,
        "threads": 2,
        "folder": str(folder),
        "target": str(folder / f"{'spark' if spark else 'duckdb'}.parquet"),
        "any_order": True,
        "spark": spark,
    }
    return BuildQuestion.model_validate(fields | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("same")
    pq.write_table(rows(), folder / "raw.parquet")
    return folder


@pytest.fixture(scope="module")
def built(folder, local_place):
    """The same rows by both engines."""
    names = ["id", "at", *VALUES, *WINDOWS, *GROUPS, "weight"]
    tables = []
    for spark in (None, local_place):
        asked = question(folder, names, spark)
        assert build_file(build, asked, SUBJECT).rows == ROWS
        tables.append(from_parquet(folder / asked.target))
    return tables


@pytest.mark.parametrize("name", [*VALUES, *WINDOWS, *GROUPS, "weight"])
def test_a_value_is_the_same_on_both(built, name):
    by_duckdb, by_spark = (table.column(name) for table in built)
    assert by_spark.type == by_duckdb.type
    assert by_spark.to_pylist() == by_duckdb.to_pylist()


DIGIT_VALUES = {"logarithm": (_.n.abs() + 1).log2(), "exponent": _.n.clip(-3, 3).exp()}


def test_a_last_digit_that_is_each_engine_s_own_is_said(folder, local_place):
    names = ["id", "at", *DIGIT_VALUES]
    tables = []
    for spark in (None, local_place):
        asked = question(folder, names, spark)
        answer = build_file(lambda t: t["events"].mutate(**DIGIT_VALUES), asked, SUBJECT)
        tables.append(from_parquet(folder / asked.target))
    assert "is each engine's own" in answer.may_differ
    for name in DIGIT_VALUES:
        one, other = (table.column(name).drop_null().to_pylist() for table in tables)
        assert len(one) == len(other) > 0
        assert other == pytest.approx(one, rel=1e-14)
