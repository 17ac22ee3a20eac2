"""How long a million logged rows with their labels take to read back.

`python -m benchmarks.readback` from the checkout.

15 inputs of all kinds, one row per request, a label for each; once from raw segments as the server
leaves them, once from the Parquet that they rotate to. Reading means everything up to the joined
table. The middle of three runs counts.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.inference_log.format import AnswerRecord, Header, LabelRecord, LoggedColumn, line
from pipelines.inference_log.join import join_labels
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.rotation import rotate
from pipelines.settings import Settings
from pipelines.store.opening import open_store

if TYPE_CHECKING:
    from pipelines.store.port import Store

ROWS, TINY_ROWS, RUNS, ASKED = 1_000_000, 500, 3, 10
MODEL = "flights"
START = 1_767_225_600_000_000
KINDS = ["number"] * 8 + ["integer"] * 2 + ["boolean"] + ["string"] * 4
COLUMNS = tuple(LoggedColumn(f"input_{i}", kind) for i, kind in enumerate(KINDS))
HEADERS = (
    Header(kind="predictions", model=MODEL, version="1", release=1, task="binary", columns=COLUMNS),
    Header(kind="labels", model=MODEL),
)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it took longer than asked."""
    rows = TINY_ROWS if is_tiny(__doc__, argv) else ROWS
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        store = open_store(folder)
        fill(store, rows)
        raw, raw_bytes = _measure_reading(store, rows), _megabytes(Path(folder))
        begin = time.perf_counter()
        rotate(store, MODEL, catch_up=lambda _: None)
        rotation_seconds = time.perf_counter() - begin
        parquet, parquet_bytes = _measure_reading(store, rows), _megabytes(Path(folder))
    return _report(rows, [raw, raw_bytes, parquet, parquet_bytes, round(rotation_seconds, 2)])


def fill(store: Store, rows: int) -> None:
    """Write what the server would have written: predictions with a key each, and their labels."""
    rng = random.Random(17)
    segments = [_Segments(store, header) for header in HEADERS]
    for i in range(rows):
        at = START + 1_000 * i
        key, request = f"2026-{i:07d}", f"{rng.getrandbits(128):032x}"
        record = AnswerRecord(
            request,
            at,
            0.0004,
            [[_value(kind, rng) for kind in KINDS]],
            [rng.random()],
            [key],
            [at - rng.randrange(10**9)],
        )
        segments[0].add(line(record))
        segments[1].add(
            line(LabelRecord(f"k:{key}", float(rng.random() < 0.2), at + 14_400_000_000, request))
        )
    for kind in segments:
        kind.close()


def _value(kind: str, rng: random.Random) -> float | bool | str:
    if kind == "number":
        return rng.gauss(0, 100)
    if kind == "integer":
        return float(rng.randrange(3_000))
    return rng.random() < 0.5 if kind == "boolean" else rng.choice(("UA", "AA", "B6", "DL", "EV"))


class _Segments:
    """Segments of the size at which the server begins the next one."""

    def __init__(self, store: Store, header: Header) -> None:
        self._store, self._header, self._number = store, header, 0
        self._segment, self._limit = self._open_next(), Settings().log_segment_bytes

    def _open_next(self):
        self._number += 1
        segment = self._store.open_segment(
            f"inference/{MODEL}/{self._header.kind}/2026-01-01-{self._number:013d}-1-00000000"
        )
        segment.append(line(self._header))
        return segment

    def add(self, text: bytes) -> None:
        self._segment.append(text)
        if self._segment.size > self._limit:
            self._segment.close()
            self._segment = self._open_next()

    def close(self) -> None:
        self._segment.close()


def _measure_reading(store: Store, rows: int) -> float:
    """Return the seconds of the middle run. Every row must come back with its label."""
    took = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        counts = join_labels(read_log(store, MODEL), read_labels(store, MODEL)).counts
        took.append(time.perf_counter() - begin)
        if (counts.rows, counts.labelled, counts.torn, counts.damaged) != (rows, rows, 0, 0):
            raise SystemExit(f"Not everything came back: {counts}")
    return round(statistics.median(took), 2)


def _megabytes(folder: Path) -> float:
    return round(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6, 1)


def _report(rows: int, values: list[float]) -> int:
    names = (
        (f"{rows:,} rows with labels, raw segments, one row per request", "s", f"< {ASKED}"),
        ("raw segments", "MB", ""),
        (f"{rows:,} rows with labels, rotated Parquet", "s", f"< {ASKED}"),
        ("rotated Parquet", "MB", ""),
        ("rotation of all of them", "s", ""),
    )
    measures: list[Measure] = [
        {"measure": name, "value": value, "unit": unit, "asked": target}
        for (name, unit, target), value in zip(names, values, strict=True)
    ]
    show("Reading the inference log back", measures)
    if rows == TINY_ROWS:
        return 0
    write("readback", measures)
    return 0 if max(values[0], values[2]) < ASKED else 1


if __name__ == "__main__":
    sys.exit(main())
