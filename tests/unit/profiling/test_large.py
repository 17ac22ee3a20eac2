"""A table that is counted in its file."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.profiling.columns import SAMPLE
from pipelines.profiling.large import summarise_file
from pipelines.profiling.tables import Roles, summarise

ROLES = Roles(["id"], "at", "late", classes=True, inputs=["x", "shop"], personal={})


def test_what_the_engine_counts_is_what_is_counted_in_memory(world, ports, tmp_path):
    rows = SAMPLE + 5_000
    rng = np.random.default_rng(3)
    x = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows).round(2))
    x[:3] = [0.0, -0.0, np.inf]
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "id": np.arange(rows),
            "at": pa.array([moment + dt.timedelta(seconds=i // 7) for i in range(rows)]),
            "x": pa.array(x),
            "y": pa.array([None if i % 3 else float(i % 11) for i in range(rows)]),
            "shop": pa.array([None if i % 5 == 0 else f"s{i % 13}" for i in range(rows)]),
            "price": pa.array([Decimal("1.10"), None] * (rows // 2)),
            "late": pa.array((x > 0).tolist()),
        }
    )
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, row_group_size=7_000)
    context = world.context(ports)
    counted = summarise_file(context, path, ROLES, most=1_000)
    whole = summarise(table, ROLES)
    assert counted.sample.to_pandas().equals(whole.sample.to_pandas())  # NaN is equal to itself
    assert counted.figures == whole.figures
    assert counted.rows == rows
    assert summarise_file(context, path, ROLES).figures == whole.figures
