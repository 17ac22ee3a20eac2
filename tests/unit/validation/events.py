"""A table with a column of every type, and the judgement of one expectation on it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from pipelines.validation.run import check_table

BIG = 2**53
HUGE = 2**64 - 1


def at(day, hour=0):
    return dt.datetime(2024, 1, day, hour, tzinfo=dt.UTC)


TABLE = pa.table(
    {
        "id": pa.array([BIG, BIG + 1, None, 5, 7]),
        "whole": pa.array([BIG, BIG + 1, BIG + 2, 5, 7]),
        "few": pa.array([1, 2, None, 4, 3], pa.int16()),
        "huge": pa.array([1, HUGE, 3, 2**63, None], pa.uint64()),
        "price": pa.array(
            [
                Decimal("1.10"),
                Decimal("2.50"),
                None,
                Decimal("3.00"),
                Decimal("12345678901234567890.12"),
            ]
        ),
        "share": pa.array([0.1, 0.2, None, 0.4, 0.5], pa.float32()),
        "flag": pa.array([True, None, False, True, True]),
        "seen": pa.array([at(1), at(2, 6), None, at(3), at(4)], pa.timestamp("us", tz="UTC")),
        "naive": pa.array(
            [at(d).replace(tzinfo=None) for d in (1, 2, 3, 4, 5)], pa.timestamp("ms")
        ),
        "day": pa.array([dt.date(2024, 1, d) for d in (1, 2, 3, 4, 5)]),
        "name": pa.array(["a", "b", None, "c", "c"]),
        "code": pa.array(["x", "y", "x", "y", "x"]).dictionary_encode(),
        "void": pa.nulls(5),
    }
)


def judge(kind, table=TABLE, **kwargs):
    [result] = check_table(
        "events", table, [{"type": f"expect_{kind}", "kwargs": kwargs}], "expectations/x.json"
    )
    return result


def broken_rows(kind, **kwargs):
    """Return the rows that broke the expectation."""
    result = judge(kind, **kwargs)
    assert not result.observed.startswith("it cannot be judged"), result.observed
    assert result.success == (not result.rows)
    return result.rows
