"""One batch that is larger than a step's memory: ingested and validated, beside DuckDB's `COPY`.

`python -m benchmarks.large_batch [--rows 20_000_000]`. The rows are the flights of January 2013,
each many times, as one CSV (12 columns, in no order) and as Parquet.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psutil

from benchmarks.large import memory_of
from benchmarks.report import Measure, show, write
from pipelines.intervals import containing

if TYPE_CHECKING:
    from pipelines.context import Context

ROOT = Path(__file__).resolve().parents[1]
MODEL, MEMORY, THREADS, ROWS = "flight_delays", "2GB", 2, 20_000_000
ASKED_GB, ASKED_SHARE = 2.0, 0.5
FIRST = datetime(2013, 1, 1, tzinfo=UTC)
MONTH = containing(FIRST, "month")
SOURCE = """
source: {{kind: files, uri: "{uri}", first: 2013-01-01T00:00:00Z, main: flights,
  timeout: 10h}}
"""
TYPES = {
    "integer": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "time": "TIMESTAMPTZ",
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the batch")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        what, kind, folder = options.child
        return {"batch": _batch, "copy": _copy, "sorted": _copy_sorted}[what](Path(folder), kind)
    count = 30_000 if options.tiny else options.rows
    rows: list[Measure] = []
    met = True
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as home:
        folder = Path(home)
        count = _make_world(folder, count)
        rows.append(_row("rows of the batch", count, "rows"))
        for kind in ("csv", "parquet"):
            rows.append(
                _row(f"the {kind}", (folder / f"january.{kind}").stat().st_size / 2**30, "GiB")
            )
            copy, _ = _in_a_child("copy", kind, folder)
            ordered, _ = _in_a_child("sorted", kind, folder)
            took, peak = _in_a_child("batch", kind, folder)
            share = copy[0] / sum(took)
            rows += [
                _row(f"{kind}: ingest, seconds", took[0], "s"),
                _row(f"{kind}: validation, seconds", took[1], "s"),
                _row(f"{kind}: DuckDB's COPY, seconds", copy[0], "s"),
                _row(f"{kind}: DuckDB's COPY, sorted, seconds", ordered[0], "s"),
                _row(f"{kind}: throughput of COPY's", share, "times", f">= {ASKED_SHARE}"),
                _row(f"{kind}: throughput of a sorted COPY's", ordered[0] / sum(took), "times"),
                _row(f"{kind}: peak of all processes", peak, "GiB", f"<= {ASKED_GB}"),
            ]
            met = met and share >= ASKED_SHARE and peak <= ASKED_GB
    show("large_batch", rows)
    if options.tiny:
        return 0
    write("large_batch", rows)
    return int(not met)


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 3), "unit": unit, "asked": asked}


def _in_a_child(what: str, kind: str, folder: Path) -> tuple[list[float], float]:
    """Return the seconds that the parts of the work took, and its processes' peak in GiB."""
    command = [sys.executable, "-m", "benchmarks.large_batch", "--child", what, kind, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        peak, process = 0, psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, memory_of(process))
            time.sleep(0.05)
        if child.returncode or child.stdout is None:
            raise RuntimeError(f"{what} ended with {child.returncode}")
        seconds = json.loads(child.stdout.read().splitlines()[-1])
    return seconds, peak / 2**30


def _context(folder: Path, kind: str) -> Context:
    from pipelines.context import Context
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings
    from pipelines.spec import load_spec

    home = folder / kind
    settings = Settings(home=home, state=home / "var", memory=MEMORY, engine_threads=THREADS)
    return Context(load_spec(settings.models, MODEL), settings, ConfiguredPorts(settings))


def _batch(folder: Path, kind: str) -> int:
    """Ingest and validate the batch, as the steps do."""
    from pipelines.data.batches import publish
    from pipelines.data.large_batches import keep_batch
    from pipelines.sources import open_source
    from pipelines.steps.validate import findings_of
    from pipelines.validation.suites import read_suite

    logging.basicConfig(format="%(message)s")
    logging.getLogger("perennial").setLevel(logging.INFO)  # it says what was read part by part
    context = _context(folder, kind)
    store = context.ports.store
    begin = time.perf_counter()
    batch, _ = publish(
        store, keep_batch(context, open_source(context.spec, context.settings), MONTH)
    )
    middle = time.perf_counter()
    suites = {table: read_suite(path) for table, path in context.suites.items()}
    found = findings_of(context, batch, suites)
    end = time.perf_counter()
    if found.critical or not found.rows:
        raise AssertionError(found.critical)
    print(json.dumps([middle - begin, end - middle]))
    return 0


def _copy(folder: Path, kind: str) -> int:
    """Let DuckDB turn the file into Parquet."""
    return _duckdb(folder, kind, "")


def _copy_sorted(folder: Path, kind: str) -> int:
    """Let DuckDB turn the file into sorted Parquet, as a batch is."""
    return _duckdb(folder, kind, " ORDER BY scheduled_departure, flight_id")


def _duckdb(folder: Path, kind: str, order: str) -> int:
    begin = time.perf_counter()
    settings = {
        "memory_limit": MEMORY, "threads": THREADS, "temp_directory": str(folder / "spill"),
    }  # fmt: skip
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        source = f"read_parquet('{folder / 'january.parquet'}')"
        if kind == "csv":
            types = json.loads((folder / "types.json").read_text())
            columns = ", ".join(f"'{name}': '{word}'" for name, word in types.items())
            source = f"read_csv('{folder / 'january.csv'}', columns = {{{columns}}})"
        connection.execute(
            f"COPY (SELECT * FROM {source}{order}) TO '{folder / 'copy.parquet'}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
    (folder / "copy.parquet").unlink()
    print(json.dumps([time.perf_counter() - begin]))
    return 0


def _make_world(folder: Path, count: int) -> int:
    """Write the model twice, its suite and its files; return how many rows they have."""
    from benchmarks.large import load
    from pipelines.spec.schema import load_schema

    columns = load_schema(ROOT / "models" / MODEL).tables["flights"]
    frame = load("source").read(MONTH.start, MONTH.end)["flights"]
    copies = max(1, round(count / len(frame)))
    settings = {"memory_limit": MEMORY, "preserve_insertion_order": "false"}
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE flights AS SELECT * FROM frame")
        names = ", ".join(columns)
        query = (
            f"SELECT {names} FROM (SELECT flights.* REPLACE (flight_id || '-' || copy AS flight_id)"
            f" FROM range({copies}) AS copies(copy), flights)"
        )
        for kind, how in (("csv", "HEADER"), ("parquet", "FORMAT parquet")):
            connection.execute(f"COPY ({query}) TO '{folder / f'january.{kind}'}' ({how})")
    types = {name: TYPES[column.type] for name, column in columns.items()}
    (folder / "types.json").write_text(json.dumps(types))
    spec = (ROOT / "models" / MODEL / "model.yaml").read_text()
    suite = json.loads((ROOT / "expectations" / f"{MODEL}.json").read_text())
    suite["expectations"] = [e for e in suite["expectations"] if "row_count" not in e["type"]]
    for kind in ("csv", "parquet"):
        model = folder / kind / "models" / MODEL
        shutil.copytree(ROOT / "models" / MODEL, model)
        begin, end = spec.index("source:\n"), spec.index("batch: month")
        source = SOURCE.format(uri=folder / f"january.{kind}")
        (model / "model.yaml").write_text(spec[:begin] + source + spec[end:])
        (folder / kind / "expectations").mkdir()
        (folder / kind / "expectations" / f"{MODEL}.json").write_text(json.dumps(suite))
    return copies * len(frame)


if __name__ == "__main__":
    raise SystemExit(main())
