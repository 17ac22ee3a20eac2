"""Features on a standalone cluster of Spark with two workers, against plain PySpark and DuckDB.

`python -m benchmarks.spark [--rows 2_000_000 --months 2]`. The rows are those of
`benchmarks.large`: the flights of 2013, each many times. The rows must be DuckDB's to the byte.
`make spark` first.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.large import context_of, make_world, plan_of
from benchmarks.report import Measure, show, write
from pipelines.refs import sha256_of_file

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-spark" / "bin" / "python"
ASKED_TIMES, ROWS, MONTHS = 1.2, 2_000_000, 2
TABLES = ("flights", "weather", "planes")
CONF = {
    "spark.executor.memory": "1500m",
    "spark.executor.cores": "1",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "8",
}

PLAIN = """
import json, sys, time
begin = time.perf_counter()
from pyspark.sql import SparkSession

question = json.loads(open(sys.argv[1]).read())
builder = SparkSession.builder.master(question["master"])
for name, value in question["conf"].items():
    builder = builder.config(name, value)
session = builder.getOrCreate()
session.sparkContext.setLogLevel("ERROR")
for batch in question["batches"]:
    for name, files in batch["files"].items():
        frame = session.read.parquet(*files)
        time_column = {"flights": "scheduled_departure", "weather": "observed_at"}.get(name)
        if time_column:
            frame = frame.where(f"{time_column} >= timestamp '{batch['since']}'")
        frame.createOrReplaceTempView(name)
    rows = session.sql(question["sql"]).where(
        f"scheduled_departure >= timestamp '{batch['start']}'"
        f" and scheduled_departure < timestamp '{batch['end']}'"
    )
    rows.orderBy("scheduled_departure", "flight_id").write.mode("overwrite").option(
        "compression", "zstd"
    ).parquet(question["target"])
print(time.perf_counter() - begin)
session.stop()
"""

SQL = """
WITH f AS (
  SELECT *, unix_timestamp(scheduled_departure) DIV 3600 AS hour_bucket,
         unix_timestamp(scheduled_departure) DIV 86400 AS day_bucket FROM flights),
w AS (
  SELECT origin, unix_timestamp(observed_at) DIV 3600 + 1 AS hour_bucket,
         temp, wind_speed, visib, precip, pressure FROM weather),
h AS (
  SELECT origin, hour_bucket, count(*) AS departures,
         sum(CASE WHEN dep_delay <= 15 THEN 0 ELSE 1 END) AS late_departures
  FROM f GROUP BY origin, hour_bucket),
o AS (
  SELECT origin, hour_bucket,
    sum(departures) OVER (PARTITION BY origin ORDER BY hour_bucket
      RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING) AS origin_traffic,
    sum(late_departures) OVER w6 / sum(departures) OVER w6 AS origin_late_share
  FROM h WINDOW w6 AS (PARTITION BY origin ORDER BY hour_bucket
    RANGE BETWEEN 6 PRECEDING AND 2 PRECEDING)),
d AS (
  SELECT carrier, day_bucket, count(*) AS flown,
         sum(CASE WHEN arr_delay <= 15 THEN 0 ELSE 1 END) AS late_arrivals
  FROM f GROUP BY carrier, day_bucket),
c AS (
  SELECT carrier, day_bucket, sum(late_arrivals) OVER w7 / sum(flown) OVER w7 AS carrier_late_share
  FROM d WINDOW w7 AS (PARTITION BY carrier ORDER BY day_bucket
    RANGE BETWEEN 7 PRECEDING AND 2 PRECEDING))
SELECT f.flight_id, f.scheduled_departure, f.origin, f.dest, f.carrier, f.hour, f.distance,
       p.seats, w.temp, w.wind_speed, w.visib, w.precip, w.pressure,
       o.origin_traffic, o.origin_late_share, c.carrier_late_share,
       (dayofweek(f.scheduled_departure) + 5) % 7 AS weekday,
       year(f.scheduled_departure) - p.year AS plane_age, f.arr_delay > 15 AS late
FROM f
LEFT JOIN planes p ON f.tailnum = p.tailnum
LEFT JOIN w ON f.origin = w.origin AND f.hour_bucket = w.hour_bucket
LEFT JOIN o ON f.origin = o.origin AND f.hour_bucket = o.hour_bucket
LEFT JOIN c ON f.carrier = c.carrier AND f.day_bucket = c.day_bucket
"""
"""What `build` stands for, as one would write it by hand."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    from tests.spark.cluster import Cluster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the raw table")
    parser.add_argument("--months", type=int, default=MONTHS, help="batches that they lie in")
    options = parser.parse_args(argv)
    count, months = (4_000, 2) if options.tiny else (options.rows, options.months)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as home:
        folder = Path(home)
        size = make_world(folder, count, months)
        cluster = Cluster(PYTHON, folder, memory="2g")
        try:
            cluster.start()
            plain = _plain_pyspark(folder, cluster.master)
            spark, by_spark = _features(folder, cluster.master)
        finally:
            cluster.end()
        duckdb, by_duckdb = _features(folder, None)
    same = sum(a == b for a, b in zip(by_spark, by_duckdb, strict=True))
    times = spark / plain
    rows: list[Measure] = [
        _row("raw rows", count, "rows"),
        _row("batches that they lie in", months, "batches"),
        _row("the raw files, compressed", size / 2**30, "GiB"),
        _row("features by Spark, two workers of one core", spark, "s"),
        _row("the SQL of it on plain PySpark, the same workers", plain, "s"),
        _row("features by DuckDB, two threads", duckdb, "s"),
        _row("features by Spark, against plain PySpark", times, "times", f"<= {ASKED_TIMES}"),
        _row("batches whose features are DuckDB's to the byte", same, "batches", f"{months}"),
    ]
    show("spark", rows)
    if options.tiny:
        return int(same != months)
    write("spark", rows)
    return int(times > ASKED_TIMES or same != months)


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 3), "unit": unit, "asked": asked}


def _features(folder: Path, master: str | None) -> tuple[float, list[str]]:
    """Build every batch's features, by Spark or by DuckDB; return the seconds and the hashes."""
    from pipelines.context import Context
    from pipelines.data.feature_files import build_file
    from pipelines.data.plan_types import plan_types
    from pipelines.engine import work_folder

    changes: dict[str, Any] = {}
    if master is not None:
        conf = ";".join(f"{name}={value}" for name, value in CONF.items())
        changes = {"engine": "spark", "spark_master": master, "spark_conf": conf}
        changes["spark_python"] = PYTHON
    usual, plan = context_of(folder), plan_of(folder)
    context = Context(usual.spec, usual.settings.replace(**changes), usual.ports)
    types = plan_types(context.ports.store, context.spec, plan)
    hashes = []
    begin = time.perf_counter()
    with work_folder(context.settings.spill) as work:
        for batch in plan.batches:
            built = build_file(context, plan, batch, types, work)
            hashes.append(f"{built.rows} {sha256_of_file(built.path)}")
            built.path.unlink()
    return time.perf_counter() - begin, hashes


def _plain_pyspark(folder: Path, master: str) -> float:
    """Return the seconds of a script written by hand, on the same workers."""
    from pipelines.data.batches import read_manifest
    from pipelines.data.feature_rows import batches_behind

    context, plan = context_of(folder), plan_of(folder)
    spec, store = context.spec, context.ports.store
    batches = []
    for batch in plan.batches:
        behind = [read_manifest(store, b) for b in batches_behind(spec, plan, batch)]
        parts = {n: behind[-1:] if n == "planes" else behind for n in TABLES}
        files = {
            name: [f"file://{folder}/var/store/{m.tables[name].data.uri}" for m in manifests]
            for name, manifests in parts.items()
        }
        interval = batch.interval
        batches.append(
            {
                "files": files,
                "since": str(interval.start - spec.lookback),
                "start": str(interval.start),
                "end": str(interval.end),
            }
        )
    conf = {**CONF, "spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false"}
    conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    question = {"master": master, "conf": conf, "batches": batches, "sql": SQL}
    script, asked = folder / "plain.py", folder / "plain.json"
    script.write_text(PLAIN)
    asked.write_text(json.dumps(question | {"target": f"file://{folder}/plain"}))
    command = [str(PYTHON), str(script), str(asked)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    raise SystemExit(main())
