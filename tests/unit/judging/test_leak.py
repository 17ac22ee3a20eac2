"""Which inputs are asked whether they give the target away."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from pipelines.errors import BadData
from pipelines.judging.leak import measure_leaks
from pipelines.spec import Spec
from tests.series import sales_body, sales_spec

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


def test_a_leak_names_the_class_and_a_time_to_the_nanosecond_is_no_error():
    gate = {"at_least": {"accuracy": 0.1}, "versus_champion": {"metric": "accuracy"}, "leak": {}}
    body = sales_body(
        task="multiclass",
        target={"column": "kind", "known_after": "1h"},
        features={"inputs": ["fee", "closed"]},
        train={"metric": "accuracy"},
        candidates=[{"name": "c", "estimator": "sklearn.tree.DecisionTreeClassifier"}],
    )
    kept = {name: part for name, part in body.items() if name not in {"forecast", "alike"}}
    spec = Spec.model_validate({**kept, "gate": gate})
    kinds = [("mid", "high", "low")[i % 3] for i in range(2 * ROWS)]
    times = pa.array(
        [START + timedelta(hours=i) for i in range(2 * ROWS)], pa.timestamp("us", "UTC")
    )
    rows = pa.table(
        {
            spec.event_time: times,
            "closed": pa.array([1_700_000_000_000_000_001] * 2 * ROWS, pa.timestamp("ns")),
            "fee": pa.array([7.0 if kind == "mid" else None for kind in kinds]),
            "kind": kinds,
        }
    )
    found = measure_leaks(spec, rows, ["low", "mid", "high"])
    reasons = {column.column: column.why for column in found.columns}
    assert reasons["fee"] == (
        "where it is filled the target is always mid: it is written after the event"
    )
