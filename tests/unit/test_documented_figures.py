"""The figures of docs/scale.md and its neighbours are those that benchmarks/results holds."""

from __future__ import annotations

import json
from functools import cache

import pytest

from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"
LARGE, FLEET, SPARK = "large.json", "fleet.json", "spark.json"

FIGURES = [
    ("scale.md", "| features of 100M rows | {:.0f} s |", LARGE, "features with memory: 2GB, sec"),
    ("scale.md", "a `COPY` for each batch | {:.0f} s |", LARGE, "the SQL of it on DuckDB, sec"),
    ("scale.md", "features against plain SQL | {:.2f} times |", LARGE, "features, against plain"),
    ("scale.md", "peak of all processes | {:.2f} GiB | ≤ 2.5 |", LARGE, "features, peak"),
    ("scale.md", "plain SQL, peak | {:.2f} GiB |", LARGE, "plain SQL, peak"),
    ("scale.md", "by Great Expectations alone | {:.2f} s |", LARGE, "the same by Great"),
    ("scale.md", "| features by Spark | {:.0f} s |", SPARK, "features by Spark, two"),
    ("scale.md", "on plain PySpark | {:.0f} s |", SPARK, "the SQL of it on plain PySpark"),
    ("scale.md", "plain PySpark | {:.2f} times |", SPARK, "features by Spark, against"),
    ("scale.md", "| with one helper | {:.0f} s |", "search_parallel.json", "with one helper"),
    ("scale.md", "| gain | {:.1f} times |", "search_parallel.json", "gain by one helper"),
    ("scale.md", "against 768 | {:.0f} s", "growth.json", "a retraining beside 10,000 hourly"),
    ("scale.md", "s, {:.2f} times |", "growth.json", "a retraining: hourly batches"),
    ("scale.md", "s, {:.2f} times |", "growth.json", "a retraining: entries in the ledger"),
    ("scale.md", "s, {:.2f} times |", "growth.json", "a look: entries in the ledger"),
    ("scale.md", "s, {:.2f} times |", "growth.json", "a look: objects of labels"),
    ("scale.md", "s, {:.2f} times |", "growth.json", "a retraining: models, 1,000"),
    ("scale.md", "s, {:.2f} times |", "growth.json", "a look: models, 1,000"),
    ("scale.md", "takes {:.0f} s of a core for parsing", FLEET, "full parse, processor"),
    ("fleets.md", "two files at a time | {:.1f} s |", FLEET, "full parse: 5,000 DAGs"),
    ("fleets.md", "by Airflow alone | {:.1f} s |", FLEET, "as many plain DAGs of Airflow's"),
    ("fleets.md", "median of three (longest) | {:.1f} s", FLEET, "DAG processor: change of"),
    ("fleets.md", "| `perennial models` | {:.1f} s |", FLEET, "`perennial models`"),
    ("fleets.md", "| `perennial status`, of all | {:.1f} s |", FLEET, "`perennial status`"),
    (
        "fleets.md",
        "one model, checked | {:.1f} ms |",
        "ledger.json",
        "history of 1,000,000 entries",
    ),
    ("fleets.md", "champion, checked | {:.2f} ms |", "ledger.json", "champion of 1,000,000"),
    ("fleets.md", "| `verify` of all | {:.1f} s |", "ledger.json", "verify of 1,000,000"),
    ("fleets.md", "the disk | {:.1f} ms;", "ledger.json", "append of 1,000,000 entries"),
    ("fleets.md", "held {:.0f} MB", "idle.json", "100 models: memory of the server"),
    ("fleets.md", "and {:.0f} MB once", "idle.json", "100 models: memory once all"),
    ("kubernetes.md", "{:,.0f} requests; none failed", "rolling.json", "answered requests"),
    ("bucket.md", "took {:.2f} times as long", "bucket.json", "retrain and drift in a bucket"),
    ("bucket.md", "({:.0f} s and ", "bucket.json", "in a bucket"),
]


@cache
def measured(file, beginning):
    """Return the value of the first measure that begins so."""
    rows = json.loads((RESULTS / file).read_text())
    return next(r["value"] for r in rows if r["measure"].startswith(beginning))


@pytest.mark.parametrize(("page", "words", "file", "measure"), FIGURES)
def test_a_figure_of_a_document_is_the_one_that_was_measured(page, words, file, measure):
    said = words.format(measured(file, measure))
    assert said in " ".join((ROOT / "docs" / page).read_text().split())


BATCH = [
    ("ingest", "{:.0f} s", "ingest, seconds"),
    ("validation by the model's suite", "{:.1f} s", "validation, seconds"),
    ("DuckDB's `COPY` into Parquet", "{:.1f} s", "DuckDB's COPY, seconds"),
    ("the same, sorted as a batch is", "{:.0f} s", "DuckDB's COPY, sorted, seconds"),
    ("throughput of a `COPY`", "{:.2f} times", "throughput of COPY's"),
    ("throughput of a sorted `COPY`", "{:.2f} times", "throughput of a sorted COPY's"),
    ("peak of all processes", "{:.2f} GiB", "peak of all processes"),
]


@pytest.mark.parametrize(("title", "form", "measure"), BATCH)
def test_the_figures_of_one_large_batch_are_those_that_were_measured(title, form, measure):
    kinds = [form.format(measured("large_batch.json", f"{k}: {measure}")) for k in KINDS]
    assert f"| {title} | {' | '.join(kinds)} |" in (ROOT / "docs" / "scale.md").read_text()


KINDS = ("csv", "parquet")
