"""Which inputs are asked whether they give the target away."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from pipelines.errors import BadData
from pipelines.judging.leak import measure_leaks
from tests.series import sales_spec

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 120


def test_a_forecast_of_its_own_past_alone_is_told_that_nothing_can_leak():
    gate = {"at_most": {"mae": 9}, "versus_champion": {"metric": "mae"}, "leak": {}}
    spec = sales_spec(gate=gate, features={"inputs": []})
    made = {name: [1.0] * ROWS for name in spec.series.names}
    sold = pa.array([float(i) for i in range(ROWS)])
    times = pa.array([START + timedelta(days=i) for i in range(ROWS)], pa.timestamp("us", "UTC"))
    rows = pa.table({**made, spec.event_time: times, spec.target.column: sold})
    with pytest.raises(BadData, match="made of the series' own past, which cannot leak"):
        measure_leaks(spec, rows, None)
