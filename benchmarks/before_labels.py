"""How far estimates of a metric before labels are from the truth, and whether intervals hold it.

`python -m benchmarks.before_labels` from the checkout; `--worlds 40` asks for fewer than 100.

Simulated worlds of two sizes: nothing changes, the inputs do, the rows of a day share a level, a
day is like the day before, a model that does not see how two inputs act together meets other
inputs. Then a changed concept: how soon the estimates are switched off. Real months: the champion
answers four months that follow its holdout.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report import Measure, asked_worlds, show, write
from benchmarks.watching.outcomes import Scene, make
from benchmarks.watching.past_months import serve
from pipelines.science.before_labels.confidence import estimate_by_confidence
from pipelines.science.before_labels.trust import Outcome, find_end_of_trust
from pipelines.science.before_labels.weighting import estimate_by_weighting
from pipelines.science.metrics import score

if TYPE_CHECKING:
    from pipelines.science.before_labels.estimate import Answered, Estimate, Judged

Array = np.ndarray[Any, Any]
WORLDS = 100
RATE = 0.95
SMALL = Scene("binary", "nothing", rows=30, days=10, past=30)
LARGE = replace(SMALL, rows=150, days=30, past=60)
CHANGES: dict[str, dict[str, Any]] = {
    "nothing changes": {},
    "other inputs": {"change": "inputs"},
    "a day's rows share a level": {"level": 0.5},
    "days half like the one before": {"level": 0.5, "memory": 0.5},
    "days much like the one before": {"level": 0.5, "memory": 0.8},
    "other inputs, a model that is blind": {"change": "inputs", "blind": True},
}
NOT_ASKED = ("days much like the one before", "other inputs, a model that is blind")
"""Where the assumption does not hold, or too few days tell how alike they are."""
FEW = ("nothing changes", "other inputs")
CELLS = (
    ("log_loss", "binary", tuple(CHANGES)),
    ("roc_auc", "binary", FEW),
    ("accuracy", "multiclass", FEW),
    ("mae", "regression", tuple(CHANGES)),
)
QUIET, WRONG = 12, 6
"""Windows that follow each other where nothing changes, and under another concept."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny, worlds = asked_worlds(__doc__, argv, WORLDS)
    worlds = 2 if tiny else worlds
    measures: list[Measure] = []
    for metric, task in (("roc_auc", "binary"), ("mae", "regression")):
        measures += switch(metric, replace(SMALL, task=task), worlds // 2)  # type: ignore[arg-type]
    measures += follow("bike_sharing", "mae", every=4, tiny=tiny)
    if not tiny:
        measures += follow("hotel_bookings", "roc_auc", every=6)
    for metric, task, changes in CELLS:
        sizes = (SMALL, LARGE)[: 1 if tiny or task == "multiclass" else None]
        for size in sizes:
            for change in changes[: 2 if tiny else None]:
                scene = replace(size, task=task, **CHANGES[change])  # type: ignore[arg-type]
                measures += measure_coverage(metric, scene, change, worlds)
                if not tiny:
                    write("before_labels", measures)
    show("Before labels", measures)
    asked = [m for m in measures if m["asked"]]
    kept = all(_holds(m["value"], m["asked"]) for m in asked)
    return 0 if tiny else int(not kept)


def _holds(value: float, asked: str) -> bool:
    limit = float(asked[3:])
    return value >= limit if asked.startswith(">=") else value <= limit


def estimate(metric: str, held: Judged, window: Answered, seed: int) -> Estimate:
    """Return what the product says of a window."""
    by = estimate_by_confidence if _is_confident(metric) else estimate_by_weighting
    return by(metric, held, window, threshold=0.5, seed=seed)


def _is_confident(metric: str) -> bool:
    return metric not in {"mae", "rmse"}


def measure_coverage(metric: str, scene: Scene, change: str, worlds: int) -> list[Measure]:
    """Return how often the interval holds the truth, and the errors beside those of the promise."""
    inside, off, promised, width, untold = [], [], [], [], 0
    for seed in range(worlds):
        world = make(scene, seed)
        window, y = world.windows[0]
        found = estimate(metric, world.held, window, seed)
        truth = score(metric, y, window.p)
        if found.value is None or found.low is None or found.high is None:
            untold += 1
            continue
        inside.append(found.low <= truth <= found.high)
        off.append(abs(truth - found.value))
        promised.append(abs(truth - score(metric, world.held.y, world.held.p)))
        width.append((found.high - found.low) / 2)
    rows = scene.rows * scene.days
    title = f"{metric} of {scene.task}, {rows:,} rows in {scene.days} days: {change}"
    least = RATE - 3 * (RATE * (1 - RATE) / max(len(inside), 1)) ** 0.5
    asked = "" if change in NOT_ASKED else f">= {least:.3f}"
    nothing = _measure(f"{title}: cannot be said", untold / worlds, "share")
    if not inside:
        return [nothing]
    return [
        _measure(f"{title}: intervals that hold the truth", np.mean(inside), "share", asked),
        _measure(f"{title}: error of the estimate", np.mean(off), metric),
        _measure(f"{title}: error of the promise", np.mean(promised), metric),
        _measure(f"{title}: half of the interval", np.mean(width), metric),
        nothing,
    ]


def _measure(title: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": title, "value": round(float(value), 4), "unit": unit, "asked": asked}


def switch(metric: str, scene: Scene, worlds: int) -> list[Measure]:
    """Return how soon estimates are switched off under another concept, and how often in vain."""
    title = f"{metric}, {scene.rows * scene.days:,} rows a window"
    ends = [_end(metric, replace(scene, change="concept"), s, WRONG) for s in range(worlds)]
    quiet = [_end(metric, scene, seed, QUIET) for seed in range(worlds)]
    return [
        _measure(
            f"{title}: another concept, switched off after windows",
            np.mean([WRONG + 1 if end is None else end + 1 for end in ends]),
            "windows",
            "<= 3",
        ),
        _measure(
            f"{title}: nothing changes, switched off within {QUIET} windows",
            np.mean([end is not None for end in quiet]),
            "share",
            f"<= {0.05 + 3 * (0.05 * 0.95 / worlds) ** 0.5:.3f}",
        ),
    ]


def _end(metric: str, scene: Scene, seed: int, windows: int) -> int | None:
    world = make(scene, seed, windows)
    return _end_of(metric, world.held, world.windows, seed)[0]


def _end_of(
    metric: str, held: Judged, windows: list[tuple[Answered, Array]], seed: int
) -> tuple[int | None, list[Outcome], list[float], list[float]]:
    """Return when the estimates end, the outcomes, and the errors of estimates and promise."""
    outcomes, off, promised = [], [], []
    for window, y in windows:
        found = estimate(metric, held, window, seed)
        truth = score(metric, y, window.p)
        if found.value is None or found.low is None or found.high is None:
            continue
        outcomes.append(Outcome(found.low, found.high, found.confidence, truth))
        off.append(abs(truth - found.value))
        promised.append(abs(truth - score(metric, held.y, held.p)))
        if (end := find_end_of_trust(outcomes)) is not None:
            return end, outcomes, off, promised
    return None, outcomes, off, promised


def follow(name: str, metric: str, *, every: int, tiny: bool = False) -> list[Measure]:
    """Return what estimates were worth on real months, until they were switched off."""
    outcomes: list[Outcome] = []
    off: list[float] = []
    promised: list[float] = []
    champions = ended = months = 0
    for served in serve(name, classify=_is_confident(metric), every=every, tiny=tiny):
        end, found, own, theirs = _end_of(metric, served.held, served.windows, 0)
        outcomes, off, promised = outcomes + found, off + own, promised + theirs
        champions, ended = champions + 1, ended + (end is not None)
        months += len(served.windows)
    if not champions:
        print(f"{name} is not at hand and is left out")
        return []
    title = f"{name}, {champions} champions, {months} months"
    told = [_measure(f"{title}: months with an estimate", len(outcomes), "months")]
    if not outcomes:
        return told
    missed = np.mean([o.missed for o in outcomes])
    return [
        *told,
        _measure(f"{title}: intervals that hold the truth", 1 - missed, "share"),
        _measure(f"{title}: error of the estimate", np.mean(off), metric),
        _measure(f"{title}: error of the promise", np.mean(promised), metric),
        _measure(f"{title}: champions switched off", ended, "champions"),
    ]


if __name__ == "__main__":
    sys.exit(main())
