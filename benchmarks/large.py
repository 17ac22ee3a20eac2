"""Features of more rows than fit into a step's memory, against plain SQL on DuckDB; and what one
small batch costs, and one of very many.

`python -m benchmarks.large [--rows 20_000_000 --months 4]`. The rows are the flights of 2013, each
many times.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.report import Measure, show, write

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.data.manifests import Plan

ROOT = Path(__file__).resolve().parents[1]
MODEL, MONTHS, MEMORY, THREADS = "flight_delays", 4, "2GB", 2
ASKED_TIMES, ASKED_GB, ROWS, RUNS = 1.2, 2.5, 4_000_000, 3
SMALL_RUNS = 7
EARLIER, MANY = 100, 10_000
"""Batches of the plans whose keys are worked out: a retraining after few of them, and after many.
"""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the raw table")
    parser.add_argument("--months", type=int, default=MONTHS, help="batches that they lie in")
    parser.add_argument("--runs", type=int, default=RUNS, help="how often each is run")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        what, folder = options.child
        return {"features": _features, "plain": _plain}[what](Path(folder))
    count, months, runs = options.rows, options.months, options.runs
    if options.tiny:
        count, months, runs = 4_000, 2, 1
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as home:
        folder = Path(home)
        size = make_world(folder, count, months)
        took: dict[str, list[tuple[float, float]]] = {"features": [], "plain": []}
        for _ in range(runs):
            for what, figures in took.items():
                figures.append(_in_a_child(what, folder))
    seconds = {what: statistics.median(t for t, _ in figures) for what, figures in took.items()}
    peak = {what: max(p for _, p in figures) for what, figures in took.items()}
    ratio = seconds["features"] / seconds["plain"]
    rows: list[Measure] = [
        _row("raw rows", count, "rows"),
        _row("batches that they lie in", months, "batches"),
        _row("the raw files, compressed", size / 2**30, "GiB"),
        _row(f"features with memory: {MEMORY}, seconds", seconds["features"], "s"),
        _row("the SQL of it on DuckDB, seconds", seconds["plain"], "s"),
        _row("features, against plain SQL", ratio, "times", f"<= {ASKED_TIMES}"),
        _row("features, peak of all processes", peak["features"], "GiB", f"<= {ASKED_GB}"),
        _row("plain SQL, peak", peak["plain"], "GiB"),
        *_reach(options.tiny),
        *_small_batch(),
    ]
    show("large", rows)
    if options.tiny:
        return 0
    write("large", rows)
    return int(ratio > ASKED_TIMES or peak["features"] > ASKED_GB)


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 3), "unit": unit, "asked": asked}


def _reach(tiny: bool) -> list[Measure]:  # noqa: FBT001
    """Return what the batches behind each batch take to find, for few batches and for many."""
    from pipelines.data.feature_rows import batches_behind
    from pipelines.spec import load_spec

    spec = load_spec(ROOT / "models", MODEL)
    took = {}
    for count in (10, 100) if tiny else (EARLIER, MANY):
        plan = _hours(count)
        begin = time.perf_counter()
        for batch in plan.batches:
            batches_behind(spec, plan, batch)
        took[count] = (time.perf_counter() - begin) / count * 1e6
    return [
        _row(f"one of {count:,} hourly batches: those behind it", value, "us")
        for count, value in took.items()
    ]


def _small_batch() -> list[Measure]:
    """Return what the validation of one hour of flights takes, with and without proofs."""
    from pipelines.intervals import Interval
    from pipelines.spec import load_spec
    from pipelines.tables import columns_of, normalise
    from pipelines.validation.run import check_table
    from pipelines.validation.suites import always_main, read_suite

    spec = load_spec(ROOT / "models", MODEL)
    hour = Interval(
        start=datetime(2013, 5, 1, 12, tzinfo=UTC), end=datetime(2013, 5, 1, 13, tzinfo=UTC)
    )
    table = normalise(load("source").read(hour.start, hour.end)["flights"], "flights")
    own = read_suite(ROOT / "expectations" / f"{MODEL}.json")
    suite = [*always_main(spec, hour, columns_of(table), own), *own]
    took: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(SMALL_RUNS):
        for proofs, figures in took.items():
            begin = time.process_time()
            check_table("flights", table, suite, MODEL, proofs=proofs)
            figures.append(time.process_time() - begin)
    what = f"{table.num_rows} rows against {len(suite)} expectations"
    return [
        _row(f"{what}, seconds of processor", statistics.median(took[True]), "s"),
        _row("the same by Great Expectations alone", statistics.median(took[False]), "s"),
    ]


def load(name: str) -> Any:
    """Return a module of the model's folder."""
    path = ROOT / "models" / MODEL / f"{name}.py"
    loaded = importlib.util.spec_from_file_location(name, path)
    assert loaded is not None
    assert loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(module)
    return module


def _hours(count: int) -> Plan:
    from pipelines.data.manifests import BatchRef, Plan
    from pipelines.intervals import Interval
    from pipelines.refs import Ref

    first, hour = datetime(2013, 1, 1, tzinfo=UTC), timedelta(hours=1)
    batches = [
        BatchRef(
            interval=Interval(start=first + n * hour, end=first + (n + 1) * hour),
            version=1,
            manifest=Ref(uri=f"objects/{n}", sha256=f"{n:064x}"),
        )
        for n in range(count)
    ]
    end = first + count * hour
    return Plan(model=MODEL, as_of=end, lookback=[], train=batches[:-1], holdout=batches[-1:])


def _in_a_child(what: str, folder: Path) -> tuple[float, float]:
    """Return the seconds that the work took, and the peak of its processes' memory in GiB."""
    command = [sys.executable, "-m", "benchmarks.large", "--child", what, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        peak, process = 0, psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, memory_of(process))
            time.sleep(0.05)
        assert child.stdout is not None
        seconds = float(child.stdout.read().split()[-1])
    if child.returncode:
        raise RuntimeError(f"{what} ended with {child.returncode}")
    return seconds, peak / 2**30


def memory_of(process: psutil.Process) -> int:
    """Return the memory of a process and all that it started: what they share counts once."""
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            memory = one.memory_info()
            total += memory.rss - memory.shared
    except psutil.Error:
        return 0
    return total


def context_of(folder: Path) -> Context:
    from pipelines.context import Context
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings
    from pipelines.spec import load_spec

    settings = Settings(home=folder, state=folder / "var", memory=MEMORY, engine_threads=THREADS)
    return Context(load_spec(settings.models, MODEL), settings, ConfiguredPorts(settings))


def plan_of(folder: Path) -> Plan:
    from pipelines.data.manifests import Plan

    return Plan.model_validate_json((folder / "plan.json").read_text())


def _features(folder: Path) -> int:
    """Build every batch's features, as the step does."""
    from pipelines.data.feature_files import build_file
    from pipelines.data.plan_types import plan_types
    from pipelines.engine import work_folder

    # It says where rows were built in memory, or on one thread.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    context, plan = context_of(folder), plan_of(folder)
    begin = time.perf_counter()
    types = plan_types(context.ports.store, context.spec, plan)
    with work_folder(context.settings.spill) as work:
        for batch in plan.batches:
            built = build_file(context, plan, batch, types, work)
            built.path.unlink()
    print(time.perf_counter() - begin)
    return 0


def _plain(folder: Path) -> int:
    """Run the SQL that `build` stands for, a COPY for each batch, as one would write it by hand."""
    import duckdb
    import ibis

    from pipelines.data.batches import read_manifest
    from pipelines.data.feature_rows import batches_behind

    context, plan = context_of(folder), plan_of(folder)
    spec, store = context.spec, context.ports.store
    module = load("features")
    begin = time.perf_counter()
    for batch in plan.batches:
        behind = [read_manifest(store, b) for b in batches_behind(spec, plan, batch)]
        connection = duckdb.connect(
            config={
                "memory_limit": MEMORY,
                "threads": THREADS,
                "temp_directory": str(folder / "plain"),
            }
        )
        since = batch.interval.start - spec.lookback
        for name in ("flights", "weather", "planes"):
            parts = behind[-1:] if name == "planes" else behind
            files = [str(folder / "var" / "store" / m.tables[name].data.uri) for m in parts]
            time_column = {"flights": "scheduled_departure", "weather": "observed_at"}.get(name)
            where = f"WHERE {time_column} >= TIMESTAMPTZ '{since}'" if time_column else ""
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files}) {where}")
        backend = ibis.duckdb.from_connection(connection)
        tables = {name: backend.table(name) for name in ("flights", "weather", "planes")}
        sql = ibis.to_sql(module.build(tables).select(*spec.feature_columns), dialect="duckdb")
        target = folder / "plain.parquet"
        connection.execute(
            f"COPY (SELECT * FROM ({sql}) WHERE scheduled_departure >= TIMESTAMPTZ"
            f" '{batch.interval.start}' AND scheduled_departure < TIMESTAMPTZ"
            f" '{batch.interval.end}' ORDER BY scheduled_departure, flight_id)"
            f" TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        )
        connection.close()
    print(time.perf_counter() - begin)
    return 0


def make_world(folder: Path, count: int, months: int) -> int:
    """Write the year's first months, so many flights in all, as batches; return their bytes."""
    for name in ("models", "expectations"):
        shutil.copytree(ROOT / name, folder / name)
    context = context_of(folder)
    whole = load("source").read(datetime(2013, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))
    batches = []
    size = 0
    for month in range(1, months + 1):
        start = datetime(2013, month, 1, tzinfo=UTC)
        end = datetime(2013 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        batch, bytes_ = _batch(context, whole, (start, end), count // months)
        batches.append(batch)
        size += bytes_
    plan = {
        "model": MODEL, "as_of": "2014-01-01T00:00:00Z", "lookback": [],
        "train": batches[:-1], "holdout": batches[-1:],
    }  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(plan))
    return size


def _batch(
    context: Context, whole: dict[str, Any], span: tuple[datetime, datetime], count: int
) -> tuple[dict[str, Any], int]:
    """Store one month, each of its flights as often as the wanted count asks for."""
    import duckdb

    from pipelines.data.manifests import BatchManifest, TableRef
    from pipelines.intervals import Interval
    from pipelines.refs import canonical
    from pipelines.tables import columns_of, normalise, to_parquet

    store, interval = context.ports.store, Interval(start=span[0], end=span[1])
    tables, size, copies = {}, 0, 1
    for name, column in (
        ("flights", "scheduled_departure"), ("weather", "observed_at"), ("planes", None),
    ):  # fmt: skip
        frame = whole[name]
        if column:
            frame = frame[(frame[column] >= span[0]) & (frame[column] < span[1])]
        if name == "flights":
            frame, copies = frame.head(count), max(1, round(count / len(frame)))
        table = normalise(frame, name)
        if name == "flights":
            file = context.settings.state / "flights.parquet"
            file.parent.mkdir(exist_ok=True)
            with duckdb.connect(config={"memory_limit": MEMORY}) as connection:
                connection.register("flights", table)
                connection.execute(
                    "COPY (SELECT flights.* REPLACE (flight_id || '-' || copy AS flight_id)"
                    f" FROM flights, range({copies}) AS copies(copy)"
                    f" ORDER BY {column}, flight_id) TO '{file}'"
                    " (FORMAT parquet, COMPRESSION zstd)"
                )
            data = file.read_bytes()
            schema = columns_of(table)
            rows = table.num_rows * copies
        else:
            data, schema, rows = to_parquet(table), columns_of(table), table.num_rows
        size += len(data)
        tables[name] = TableRef(data=store.put(data, ".parquet"), rows=rows, columns=schema)
    manifest = BatchManifest(model=MODEL, interval=interval, tables=tables)
    ref = store.put(canonical(manifest), ".json")
    batch = {
        "interval": interval.model_dump(mode="json"),
        "version": 1,
        "manifest": ref.model_dump(mode="json"),
    }
    return batch, size


if __name__ == "__main__":
    raise SystemExit(main())
