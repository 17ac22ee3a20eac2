"""How often an interval holds a metric's true value, and what a metric costs at a million rows.

`python -m benchmarks.metrics` from the checkout.

The true value is that of very many rows of the same world; each simulation draws new rows. Rows are
independent of each other, or those of one day are alike; intervals are two-sided, and days (or
groups of 512 neighbours) are drawn. What is asked of independent rows is the nominal coverage,
within three standard errors. Costs are ratios to scikit-learn's function, and the seconds of an
interval with 1,000 resamples. What is simulated is kept in var/benchmarks until the code changes:
a run that was ended goes on where it was.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn import metrics as theirs

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.refs import digest
from pipelines.science.bootstrap import two_sided
from pipelines.science.metrics import score

if TYPE_CHECKING:
    from collections.abc import Callable

SIMULATIONS, SIMULATIONS_ALIKE = 1_000, 300
SIZES = (500, 5_000)
HEAVY_SIZES = (500, 1_000, 2_000, 5_000, 10_000)
"""Sizes at which metrics of squares meet errors with heavy tails, too. Nothing is asked there: few
rows do not show how heavy the tails are (docs/metrics.md says so).
"""
CONFIDENCES = (0.9, 0.95)
TRUTH_ROWS = 2_000_000
DAYS = 50
MANY = 1_000_000
CLASS_METRICS = (
    "roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1", "matthews",
    "precision_at_10_percent",
)  # fmt: skip
SQUARES = ("rmse", "r2")
VALUE_METRICS = ("mae", "rmse", "r2", "median_error", "pinball_0.9", "wape")

Array = np.ndarray[Any, Any]


ROOT = Path(__file__).resolve().parents[1]
Kind = Literal["independent", "normal", "alike"]
WORLDS: dict[Kind, str] = {
    "independent": "independent",
    "normal": "independent, normal errors",
    "alike": f"{DAYS} days alike within",
}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    truth_rows = 20_000 if tiny else TRUTH_ROWS
    cells = [("rmse", 500, "normal"), ("accuracy", 500, "alike")] if tiny else _cells()
    rows: list[Measure] = []
    for metric, size, kind in cells:
        simulations = 3 if tiny else SIMULATIONS_ALIKE if kind == "alike" else SIMULATIONS
        found = _coverage(metric, size, simulations, truth_rows, kind)
        rows += _in_words(metric, size, simulations, found, kind)
    rows += _costs(2_000 if tiny else MANY)
    show("Metrics", rows)
    if tiny:
        return 0
    write("metrics", rows)
    return int(any(_misses(row) for row in rows))


def _cells() -> list[tuple[str, int, Kind]]:
    """Return what is simulated: metric, rows, and the kind of their world."""
    metrics = (*CLASS_METRICS, *VALUE_METRICS)
    plain: list[tuple[str, int, Kind]] = [
        (metric, size, "normal" if metric in SQUARES else "independent")
        for metric in metrics
        for size in SIZES
    ]
    heavy: list[tuple[str, int, Kind]] = [
        (metric, size, "independent") for metric in SQUARES for size in HEAVY_SIZES
    ]
    alike: list[tuple[str, int, Kind]] = [(m, size, "alike") for m in metrics for size in SIZES]
    return [*plain, *heavy, *alike]


def _world(metric: str, size: int, seed: int, kind: Kind) -> tuple[Array, Array, Array]:
    """Return truth, answers and event times of `size` rows on 50 days.

    Where rows of a day are alike, a fifth of the signal's variance is the day's. Errors of values
    are those of Student's t with five degrees of freedom, where they are not normal.
    """
    alike = kind == "alike"
    rng = np.random.default_rng([seed, size, int(alike)])
    # The truth has a day for every hundred rows, so that it has very many.
    days = DAYS if size <= max(SIZES) else size // 100
    day = np.arange(size) * days // size
    shared = rng.normal(0, 0.5, days)[day] if alike else 0.0
    signal = rng.normal(0, 1, size) + shared
    times = np.datetime64("2026-01-01", "D") + day
    if not alike:  # one row is as good as another: no days, but the moments of one
        times = np.datetime64("2026-01-01", "us") + np.arange(size)
    if metric in CLASS_METRICS:
        y = (rng.random(size) < 1 / (1 + np.exp(1.4 - 1.5 * signal))).astype(np.int64)
        return y, 1 / (1 + np.exp(1.4 - 1.2 * signal - rng.normal(0, 0.3, size))), times
    noise = rng.normal(0, 1, size) if kind == "normal" else rng.standard_t(5, size)
    y = 10 + 3 * signal + noise
    return y, 10 + 2.8 * (signal - shared), times


@cache
def _true_value(metric: str, rows: int, kind: Kind) -> float:
    y, p, _ = _world(metric, rows, 0, kind)
    return score(metric, y, p)


def _coverage(
    metric: str, size: int, simulations: int, truth_rows: int, kind: Kind
) -> dict[str, int]:
    """Return by confidence in how many of the simulations the interval held the truth."""
    kept = _counts_file(metric, size, simulations, truth_rows, kind)
    if kept.is_file():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    truth, held = _true_value(metric, truth_rows, kind), dict.fromkeys(CONFIDENCES, 0)
    for seed in range(1, simulations + 1):
        y, p, times = _world(metric, size, seed, kind)
        rows = {"event_times": times} if kind == "alike" else {"groups": np.arange(size)}
        for confidence in CONFIDENCES:
            low, high = two_sided(metric, y, p, confidence=confidence, seed=seed, **rows)
            held[confidence] += low <= truth <= high
    found = {f"{confidence:.0%}": int(count) for confidence, count in held.items()}
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def _counts_file(*cell: object) -> Path:
    """Return where the counts of a cell are kept for as long as the code stays as it is."""
    files = sorted((ROOT / "pipelines" / "science").rglob("*.py"))
    code = [path.read_text(encoding="utf-8") for path in files]
    return ROOT / "var" / "benchmarks" / "metrics" / f"{digest(*map(str, cell), *code)[:24]}.json"


def _in_words(
    metric: str, size: int, simulations: int, found: dict[str, int], kind: Kind
) -> list[Measure]:
    asked = kind == "normal" or (kind == "independent" and metric not in SQUARES)
    title = f"{metric}, {size:,} rows, {WORLDS[kind]}"
    return [
        {
            "measure": f"{title}: {confidence:.0%} interval is right",
            "value": round(found[f"{confidence:.0%}"] / simulations, 4),
            "unit": "share",
            "asked": _bounds(confidence, simulations) if asked else "",
        }
        for confidence in CONFIDENCES
    ]


def _bounds(confidence: float, simulations: int) -> str:
    slack = 3 * (confidence * (1 - confidence) / simulations) ** 0.5
    return f"{confidence - slack:.3f} to {min(confidence + slack, 1):.3f}"


def _misses(row: Measure) -> bool:
    low, _, high = row["asked"].partition(" to ")
    return bool(high) and not float(low) <= row["value"] <= float(high)


def _costs(rows: int) -> list[Measure]:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, rows)
    p = np.clip(0.3 * y + rng.uniform(0, 0.7, rows), 0, 1)
    value = rng.gamma(2, 3, rows) + 0.1
    guess = value * rng.uniform(0.5, 1.5, rows)
    times = np.datetime64("2026-01-01", "us") + np.arange(rows) * 1_000_000
    called = p > 0.5
    pairs: list[tuple[str, Array, Array, Callable[[], float] | None]] = [
        ("roc_auc", y, p, lambda: theirs.roc_auc_score(y, p)),
        ("average_precision", y, p, lambda: theirs.average_precision_score(y, p)),
        ("log_loss", y, p, lambda: theirs.log_loss(y, p)),
        ("brier", y, p, lambda: theirs.brier_score_loss(y, p)),
        ("accuracy", y, p, lambda: theirs.accuracy_score(y, called)),
        ("f1", y, p, lambda: theirs.f1_score(y, called)),
        ("matthews", y, p, lambda: theirs.matthews_corrcoef(y, called)),
        ("kappa", y, p, lambda: theirs.cohen_kappa_score(y, called)),
        ("precision_at_1_percent", y, p, None),
        ("mae", value, guess, lambda: theirs.mean_absolute_error(value, guess)),
        ("rmse", value, guess, lambda: theirs.root_mean_squared_error(value, guess)),
        ("r2", value, guess, lambda: theirs.r2_score(value, guess)),
        ("median_error", value, guess, lambda: theirs.median_absolute_error(value, guess)),
        ("mape", value, guess, lambda: theirs.mean_absolute_percentage_error(value, guess)),
        ("pinball_0.9", value, guess, lambda: theirs.mean_pinball_loss(value, guess, alpha=0.9)),
        ("gamma_deviance", value, guess, lambda: theirs.mean_gamma_deviance(value, guess)),
    ]
    found: list[Measure] = []
    for metric, truth, answers, other in pairs:
        seconds = _seconds(partial(score, metric, truth, answers))
        found.append(_cost(f"{metric}, {rows:,} rows", seconds, "CPU s", "<= 1"))
        if other is not None:
            ratio = seconds / _seconds(other)
            found.append(_cost(f"{metric}, {rows:,} rows, scikit-learn's time", ratio, "times", ""))
        spread = _seconds(
            lambda m=metric, t=truth, a=answers: two_sided(  # type: ignore[misc]
                m, t, a, event_times=times, confidence=0.9, seed=1
            ),
            repeats=1,
        )
        title = f"{metric}, {rows:,} rows, interval of 1,000 draws"
        found.append(_cost(title, spread, "CPU s", ""))
    return found


def _seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """Return the least of some times of the processor: others may use the machine, too."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times)


def _cost(measure: str, value: float, unit: str, asked: str) -> Measure:
    return {"measure": measure, "value": round(value, 3), "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
