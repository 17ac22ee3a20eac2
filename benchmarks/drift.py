"""How long the comparison of one window takes: `python -m benchmarks.drift` from the checkout.

30,000 labelled rows with 15 inputs against the 10,000 rows that a bundle keeps of its training
data. Each run is a process of its own, from its start to both pages on the disk: imports, checks,
Evidently, the interval of the live metric, the decision. The middle of three runs counts.
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

from benchmarks.report import Measure, is_tiny, show, write

ROOT = Path(__file__).resolve().parents[1]
RUNS, ROWS, REFERENCE, ASKED = 3, 30_000, 10_000, 15
COMPARE = "compare"
"""The argument with which this module runs itself, in the process that is measured."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it took longer than asked."""
    tiny = is_tiny(__doc__, argv)
    window, reference, count = (600, 600, 1) if tiny else (ROWS, REFERENCE, RUNS)
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        for name, rows, seed in (("window", window, 1), ("reference", reference, 2)):
            _prepare(Path(folder) / f"{name}.parquet", rows, seed)
        runs = [_measure(folder) for _ in range(count)]
        verdict = json.loads((Path(folder) / "verdict.json").read_text(encoding="utf-8"))
    rows: list[Measure] = [
        {
            "measure": f"drift look on {window:,} x 15 rows",
            "value": round(statistics.median(seconds for seconds, _ in runs), 1),
            "unit": "s",
            "asked": f"<= {ASKED}",
        },
        {
            "measure": "memory of that process",
            "value": max(memory for _, memory in runs),
            "unit": "MB",
            "asked": "",
        },
        {
            "measure": "inputs compared in it",
            "value": verdict["compared"],
            "unit": "inputs",
            "asked": "== 15",
        },
    ]
    show("Drift", rows)
    if tiny:
        return 0 if verdict["compared"] == 15 else 1
    write("drift", rows)
    return 0 if rows[0]["value"] <= ASKED and verdict["compared"] == 15 else 1


def _prepare(path: Path, rows: int, seed: int) -> None:
    """Write inputs of every kind (10 normal numbers, a skewed one, an integer, a boolean, two
    texts), predictions and labels.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(seed)
    columns = {f"number_{i}": rng.normal(size=rows) for i in range(10)}
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
    columns["_at"] = np.datetime64("2026-04-01", "us") + (
        np.arange(rows) * (30 * 86_400_000_000 // rows)
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

    window, reference = (
        parquet.read_table(folder / f"{name}.parquet") for name in ("window", "reference")
    )
    inputs = [name for name in window.column_names if not name.startswith("_")]
    champion = ChampionReference(
        schema_of(reference, inputs, "binary", None),
        Rows(reference.select(inputs), reference["_prediction"].to_numpy()),
        metric="roc_auc",
        expected=0.7,
        task="binary",
    )
    answers, labels, times = (window[name].to_numpy() for name in ("_prediction", "_label", "_at"))
    rules = Drift(schedule="monthly")
    findings = look(
        rules,
        Rows(window.select(inputs), answers),
        Labelled(labels, answers, times),
        champion,
        seed=1,
    )
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
