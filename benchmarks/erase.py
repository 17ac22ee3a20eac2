"""Erase one of 10,000 persons from 100 batches, their features in two revisions, and a log.

`python -m benchmarks.erase` from the checkout.

Every person has a row in every batch, so every batch, every file of features and every segment of
the inference log is written anew. The order's number is the key of a row; the person is found by
the column that groups them. Afterwards everything is searched once more.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.context import Context
from pipelines.data.batches import manifest_of, publish
from pipelines.inference_log.format import (
    AnswerRecord,
    Header,
    LoggedColumn,
    header_lines,
    line,
)
from pipelines.intervals import Interval
from pipelines.ops.erasure.erase import erase
from pipelines.ops.traces.search import search, sought_of
from pipelines.ports import ConfiguredPorts
from pipelines.refs import sha256
from pipelines.settings import Settings
from pipelines.sources import Raw
from pipelines.spec import parse_spec
from pipelines.tables import to_parquet
from pipelines.versions.port import FeatureFile

PERSONS, BATCHES, ASKED = 10_000, 100, 60
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
SPEC = """
name: orders
owner: shop
description: Does an order come back?
task: binary
source: {kind: files, uri: "raw.csv", first: 2024-01-01T00:00:00Z}
batch: day
event_time: at
key: [order_id]
alike: {group: customer}
target: {column: back, known_after: 1h}
features: {inputs: [amount, shop]}
train: {window: 4 batches, holdout: 2 batches, metric: roc_auc}
candidates:
  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}
gate: {at_least: {roc_auc: 0.5}, versus_champion: {metric: roc_auc}}
"""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it takes too long or leaves a trace."""
    tiny = is_tiny(__doc__, argv)
    persons, batches = (200, 3) if tiny else (PERSONS, BATCHES)
    with tempfile.TemporaryDirectory(prefix="perennial-erase-") as folder:
        rows = _measure(Path(folder), persons, batches)
    show("Erase", rows)
    if tiny:
        return 0
    write("erase", rows)
    return int(rows[0]["value"] >= ASKED or any(row["value"] for row in rows[1:3]))


def _measure(folder: Path, persons: int, batches: int) -> list[Measure]:
    context = _live(folder, persons, batches)
    person = f"c-{persons // 2}"
    sought = [sought_of(context.settings, [person])]
    before = len(search(context.settings, context.ports, sought).traces)
    began, busy = time.monotonic(), time.process_time()
    done = erase(context, [person], None, datetime.now(UTC))
    seconds, busy = time.monotonic() - began, time.process_time() - busy
    assert (done.rows, done.batches) == (batches, batches)
    after = len(search(context.settings, context.ports, sought).traces)
    words = f"one of {persons:,} persons from {batches} batches"
    figures = [
        (f"{words}: erased and searched", round(seconds, 1), "s", f"< {ASKED}"),
        ("traces that the erasure's search found", len(done.left), "", "0"),
        ("traces that another search found", after, "", "0"),
        ("processor time of that", round(busy, 1), "CPU s", ""),
        ("traces before", before, "", ""),
        ("entries of the ledger, whole", context.ports.ledger.verify(), "", ""),
    ]
    return [
        {"measure": measure, "value": value, "unit": unit, "asked": asked}
        for measure, value, unit, asked in figures
    ]


def _live(folder: Path, persons: int, batches: int) -> Context:
    """Return a model whose batches, features of two revisions and log know every person."""
    settings = Settings(state=folder / "var")
    ports = ConfiguredPorts(settings)
    context = Context(parse_spec(SPEC.encode(), "orders/model.yaml"), settings, ports)
    files: dict[str, Any] = {}
    for day in range(batches):
        interval = Interval(start=FIRST + timedelta(days=day), end=FIRST + timedelta(days=day + 1))
        table = _rows(day, persons)
        raw = Raw({context.spec.source.main: table})
        publish(ports.store, manifest_of(ports.store, context.spec, interval, raw))
        for again in (False, True):
            built = table.append_column("again", pa.array([again] * persons))
            data = to_parquet(built)
            file = FeatureFile(
                key=sha256(f"{day} {again}".encode()), sha256=sha256(data), rows=persons
            )
            files.setdefault(again, {})[interval.name] = (file, data)
        _log(context, day, table)
    for again, changes in files.items():
        ports.versions.commit("orders", changes, f"features {again}")
    return context


def _rows(day: int, persons: int) -> pa.Table:
    rng = np.random.default_rng(day)
    seconds = np.sort(rng.integers(0, 86_400, persons))
    at = np.datetime64(FIRST.replace(tzinfo=None), "us") + np.timedelta64(day, "D")
    return pa.table(
        {
            "order_id": pa.array(day * persons + np.arange(persons)),
            "at": pa.array(at + seconds.astype("timedelta64[s]"), pa.timestamp("us", tz="UTC")),
            "customer": [f"c-{n}" for n in range(persons)],
            "amount": rng.normal(50, 10, persons),
            "shop": rng.choice(["north", "south", "web"], persons),
            "back": rng.random(persons) < 0.2,
        }
    )


def _log(context: Context, day: int, table: pa.Table) -> None:
    """Write the day's answers, with the rows' keys."""
    columns = (LoggedColumn("amount", "number"), LoggedColumn("shop", "string"))
    header = Header(
        kind="predictions", model="orders", version="1", release=1, task="binary", columns=columns
    )
    moment = FIRST + timedelta(days=day)
    segment = context.ports.store.open_segment(f"inference/orders/predictions/{moment:%Y-%m-%d}-a")
    segment.append(header_lines(header))
    rows = [list(row.values()) for row in table.select(["amount", "shop"]).to_pylist()]
    for start in range(0, len(rows), 1_000):
        part = rows[start : start + 1_000]
        keys = [str(k) for k in table["order_id"][start : start + len(part)].to_pylist()]
        answer = AnswerRecord(f"r{start}", 5, 0.1, part, [0.5] * len(part), list(keys))
        segment.append(line(answer))
    segment.close()


if __name__ == "__main__":
    sys.exit(main())
