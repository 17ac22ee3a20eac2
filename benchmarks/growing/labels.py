"""A labels' log of many objects, and a day of served traffic with its labels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from benchmarks.growing.hours import FIRST, LOOK, MODEL, lay_model, live_through
from pipelines.inference_log.decode import decode
from pipelines.inference_log.format import (
    AnswerRecord,
    Header,
    LabelRecord,
    LoggedColumn,
    header_lines,
    line,
)
from pipelines.inference_log.rotated_entries import RotatedEntry, add, to_parquet
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.store.port import Store

HOURS = 768
"""Hours of batches that the model learns from."""
AN_HOUR, AN_OBJECT = 60, 60
"""Rows that were served in an hour of the day that is looked at; labels of an object."""
COLUMNS = (*(LoggedColumn(f"x{n}", "number") for n in range(5)), LoggedColumn("kind", "string"))
LABELS = Header(kind="labels", model=MODEL)
ANSWERS = Header(
    kind="predictions", model=MODEL, version="1", release=1, task="binary", columns=COLUMNS
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lay_labels(home: Path, state: Path, objects: int) -> None:
    """Lay a model whose traffic will be watched, and a labels' log of so many objects: one for each
    hour before the model's first batch.
    """
    lay_model(home, HOURS)
    live_through(home, state, HOURS)
    store = store_of(home, state)
    for number in range(objects):
        at = FIRST - timedelta(hours=objects - number)
        labels = [(f"r:old{number}#{row}", float(row % 2), at) for row in range(AN_OBJECT)]
        name = f"inference/{MODEL}/labels/{at:%Y-%m-%d}-{at:%H%M}"
        rows = decode(name, _lines(labels)).rows
        entry = RotatedEntry(
            data=store.put(to_parquet(rows), ".parquet"),
            rows=AN_OBJECT,
            day=f"{at:%Y-%m-%d}",
            header=msgspec.to_builtins(LABELS),
            segments=[name],
        )
        add(store, MODEL, "labels", number + 1, entry)


def serve_a_day(home: Path, state: Path, end: datetime) -> None:
    """Log a day of answers before `end`, and the label of each, told an hour later."""
    store, rng = store_of(home, state), np.random.default_rng(1)
    start = end - timedelta(hours=LOOK)
    segment = store.open_segment(f"inference/{MODEL}/predictions/{start:%Y-%m-%d}-served")
    segment.append(header_lines(ANSWERS))
    told = []
    for row in range(LOOK * AN_HOUR):
        at = start + timedelta(hours=1) * (row / AN_HOUR)
        values = [*rng.normal(size=5).round(6).tolist(), str(rng.choice(["a", "b", "c"]))]
        chance = float(1 / (1 + np.exp(values[1] - values[0])))
        answer = AnswerRecord(f"served{row}", micros(at), 0.001, [values], [chance])
        segment.append(line(answer))
        label = float(rng.random() < chance)
        told.append((f"r:served{row}#0", label, at + timedelta(hours=1)))
    segment.close()
    segment = store.open_segment(f"inference/{MODEL}/labels/{end:%Y-%m-%d}-told")
    segment.append(_lines(told))
    segment.close()


def _lines(labels: list[tuple[str, float, datetime]]) -> bytes:
    """Return the lines of a segment of labels, each of a row, told at a moment."""
    told = [line(LabelRecord(row, label, micros(at), "told")) for row, label, at in labels]
    return b"".join([header_lines(LABELS), *told])


def micros(moment: datetime) -> int:
    """Return the microseconds since 1970, as the log has them."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def store_of(home: Path, state: Path) -> Store:
    """Return the store of a home."""
    environ = {"PERENNIAL_HOME": str(home), "PERENNIAL_STATE": str(state)}
    return ConfiguredPorts(load_settings(environ)).store
