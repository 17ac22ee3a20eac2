"""How long the comparison of one window takes: `python -m benchmarks.drift` from the checkout.

30,000 labelled rows with 15 inputs, and 1,000,000 with 50, against what a bundle keeps of its
training data. Each run is a process of its own, from its start to both pages on the disk: imports,
checks, tests, distances, Evidently's page, the interval of the live metric, the decision. Of the
small window the middle of three runs counts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import Measure, is_tiny, show, write

ROOT = Path(__file__).resolve().parents[1]
RUNS, ROWS, REFERENCE, ASKED = 3, 30_000, 200_000, 15
LARGE, LARGE_NUMBERS, LARGE_ASKED, LARGE_MEMORY = 1_000_000, 45, 60, 2_000
"""Rows and numbers of the large window (beside five inputs of other kinds), seconds, megabytes."""
COMPARE = "compare"
"""The argument with which this module runs itself, in the process that is measured."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it took longer than asked."""
    tiny = is_tiny(__doc__, argv)
    small = (600, 600, 10) if tiny else (ROWS, REFERENCE, 10)
    large = (800, 600, 12) if tiny else (LARGE, REFERENCE, LARGE_NUMBERS)
    runs, compared = _look_at(*small, 1 if tiny else RUNS)
    large_runs, large_compared = _look_at(*large, 1)
    seconds = round(statistics.median(seconds for seconds, _ in runs), 1)
    large_seconds, large_memory = round(large_runs[0][0], 1), large_runs[0][1]
    of_large = f"{large[0]:,} x {large[2] + 5} rows"
    rows: list[Measure] = [
        _measure_all(f"drift look on {small[0]:,} x 15 rows", seconds, "s", f"<= {ASKED}"),
        _measure_all("memory of that process", max(memory for _, memory in runs), "MB", ""),
        _measure_all("inputs compared in it", compared, "inputs", "== 15"),
        _measure_all(f"drift look on {of_large}", large_seconds, "s", f"<= {LARGE_ASKED}"),
        _measure_all("memory of that process", large_memory, "MB", f"<= {LARGE_MEMORY}"),
        _measure_all("inputs compared in it", large_compared, "inputs", f"== {large[2] + 5}"),
    ]
    show("Drift", rows)
    whole = (compared, large_compared) == (15, large[2] + 5)
    if tiny:
        return 0 if whole else 1
    write("drift", rows)
    quick = seconds <= ASKED and large_seconds <= LARGE_ASKED and large_memory <= LARGE_MEMORY
    return 0 if quick and whole else 1


def _measure_all(measure: str, value: float, unit: str, asked: str) -> Measure:
    return {"measure": measure, "value": value, "unit": unit, "asked": asked}


def _look_at(
    window: int, reference: int, numbers: int, count: int
) -> tuple[list[tuple[float, float]], int]:
    """Return the seconds and megabytes of each look, and how many inputs one compared."""
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        for name, rows, seed in (("window", window, 1), ("reference", reference, 2)):
            _prepare(Path(folder) / f"{name}.parquet", rows, numbers, seed)
        runs = [_measure(folder) for _ in range(count)]
        verdict = json.loads((Path(folder) / "verdict.json").read_text(encoding="utf-8"))
    return runs, verdict["compared"]


def _prepare(path: Path, rows: int, numbers: int, seed: int) -> None:
    """Write inputs of every kind (so many normal numbers, a skewed one, an integer, a boolean, two
    texts), predictions and labels: a month of the window, and the year before it.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"number_{i}": rng.normal(size=rows) for i in range(numbers)}
    columns |= {
        "distance": rng.lognormal(size=rows),
        "weekday": rng.integers(1, 8, rows),
        "night": rng.random(rows) < 0.3,
    }
    columns |= {
        "carrier": rng.choice([f"c{i}" for i in range(16)], rows),
        "origin": rng.choice([f"a{i}" for i in range(100)], rows),
    }
    chance = rng.beta(2, 6, rows)
    columns |= {"_prediction": chance, "_label": (rng.random(rows) < chance).astype(int)}
    first, days = ("2026-04-01", 30) if path.stem == "window" else ("2025-04-01", 365)
    columns["_at"] = np.datetime64(first, "us") + (
        np.arange(rows) * (days * 86_400_000_000 // rows)
    ).astype("timedelta64[us]")
    parquet.write_table(pa.table(columns), path)


def _measure(folder: str) -> tuple[float, float]:
    """Return the seconds and the most megabytes of one run."""
    began = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.drift", COMPARE, folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - began, float(process.stdout.splitlines()[-1])


def compare_window(folder: Path) -> None:
    """Compare the prepared window once and write both pages.

    Prints the most megabytes that this process held.
    """
    import resource

    from pyarrow import parquet

    from pipelines.bundle.rows import schema_of
    from pipelines.intervals import Interval
    from pipelines.science.drift import decide
    from pipelines.spec.drift import Drift
    from pipelines.watch.comparison import look
    from pipelines.watch.page import About, render
    from pipelines.watch.sides import ChampionReference, Labelled, Rows

    sides = []
    for name in ("window", "reference"):
        table = parquet.read_table(folder / f"{name}.parquet")
        inputs = [n for n in table.column_names if not n.startswith("_")]
        p, y, at = (table[n].to_numpy() for n in ("_prediction", "_label", "_at"))
        rows = Rows(table.select(inputs), p, event_times=at, times=at)
        sides.append((rows, Labelled(y, p, at)))
    (window, labelled), (reference, held) = sides
    champion = ChampionReference(
        schema_of(reference.inputs, reference.inputs.column_names, "binary", None),
        reference,
        metric="roc_auc",
        expected=0.7,
        task="binary",
        held=held,
    )
    rules = Drift(schedule="monthly")
    findings = look(rules, window, labelled, champion, seed=1)
    decision = decide(findings.facts, rules)
    month = Interval(start=datetime(2026, 4, 1, tzinfo=UTC), end=datetime(2026, 5, 1, tzinfo=UTC))
    page = render(
        About("flights", month, "traffic", "1", ROWS),
        findings.facts,
        decision,
        rules,
        href="evidently.html",
    )
    (folder / "drift.html").write_text(page, encoding="utf-8")
    (folder / "evidently.html").write_bytes(findings.evidently or b"")
    verdict = {"verdict": decision.verdict, "compared": len(findings.facts.columns_with_score)}
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    print(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024))


if __name__ == "__main__":
    if sys.argv[1:2] == [COMPARE]:
        compare_window(Path(sys.argv[2]))
        sys.exit(0)
    sys.exit(main())
