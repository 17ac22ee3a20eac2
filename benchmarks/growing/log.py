"""A log of many answers, each object as rotation leaves it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from benchmarks.growing.hours import FIRST, MODEL, lay_model, live_through
from benchmarks.growing.labels import ANSWERS, HOURS, micros, store_of
from pipelines.inference_log.decode import INPUT, MOMENT
from pipelines.inference_log.rotated_entries import RotatedEntry, add, to_parquet

if TYPE_CHECKING:
    from pathlib import Path

AN_OBJECT = 10_000
"""Answers of an object, each of a request of its own."""
HOUR = 3_600_000_000
"""Microseconds."""


def lay_log(home: Path, state: Path, rows: int) -> None:
    """Lay a model whose traffic will be watched, and a log of so many answers: an object for each
    hour before the model's first batch. None of them has a label.
    """
    lay_model(home, HOURS)
    live_through(home, state, HOURS)
    store, objects = store_of(home, state), rows // AN_OBJECT
    for number in range(objects):
        at = FIRST - timedelta(hours=objects - number)
        answers = draw_answers(number, micros(at))
        entry = RotatedEntry(
            data=store.put(to_parquet(answers), ".parquet"),
            rows=AN_OBJECT,
            day=f"{at:%Y-%m-%d}",
            header=msgspec.to_builtins(ANSWERS),
            segments=[f"inference/{MODEL}/predictions/{at:%Y-%m-%d}-{at:%H%M}"],
            since=micros(at),
            until=micros(at) + HOUR - 1,
        )
        add(store, MODEL, "predictions", number + 1, entry)


def draw_answers(number: int, start: int) -> pa.Table:
    """Return the answers of an hour that begins so many microseconds after 1970, in stored form."""
    rng = np.random.default_rng(number)
    at = pa.array(np.sort(rng.integers(start, start + HOUR, AN_OBJECT))).cast(MOMENT)
    numbers = rng.normal(size=(5, AN_OBJECT)).round(6)
    kinds = pa.array(["a", "b", "c"]).take(pa.array(rng.integers(0, 3, AN_OBJECT)))
    return pa.table(
        {
            "request_id": pa.array([f"old{number}-{row}" for row in range(AN_OBJECT)]),
            "row": pa.array(np.zeros(AN_OBJECT, dtype=np.int32)),
            "at": at,
            "key": pa.nulls(AN_OBJECT, pa.string()),
            "event_time": at,
            "seconds": pa.array(np.full(AN_OBJECT, 0.001)),
            "prediction": pa.array(1 / (1 + np.exp(numbers[1] - numbers[0]))),
            "probabilities": pa.nulls(AN_OBJECT, pa.list_(pa.float64())),
            **{f"{INPUT}x{place}": pa.array(values) for place, values in enumerate(numbers)},
            f"{INPUT}kind": kinds,
        }
    )
