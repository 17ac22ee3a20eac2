"""How often the interval of an effect holds what it is of: the change of the mean loss.

`python -m benchmarks.effects` from the checkout; `--worlds 100` asks for fewer than 400 in a line.

The interval of what is measured on labels should hold the change of the expected loss: 0, where
nothing changes, however high the levels of the window's days happen to be. That of what is expected
before labels should hold by how much the held-out days would have been worse on such rows.
Worlds are those of `benchmarks.before_labels`, with the absolute errors of a regression.
Asked is 95 % less three standard errors of what is measured, where days are independent.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report import Measure, show, write
from benchmarks.watching.outcomes import Scene, make
from pipelines.science.causes.view import View
from pipelines.science.causes.weights import weigh_rows
from pipelines.science.changes.facts import Sample
from pipelines.science.effects.expectation import expect_loss
from pipelines.science.effects.measured import measure_loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.science.effects.effect import Expected

Array = np.ndarray[Any, Any]
MEASURED, EXPECTED = "measured on labels", "expected before labels"
WORLDS, RATE = 400, 0.95
SIZES = (
    Scene("regression", "nothing", rows=30, days=10, past=30),
    Scene("regression", "nothing", rows=100, days=30, past=60),
)
ALIKE: dict[str, dict[str, Any]] = {
    "independent rows": {},
    "a day's rows share a level": {"level": 0.5},
    "days half like the one before": {"level": 0.5, "memory": 0.5},
    "days much like the one before": {"level": 0.5, "memory": 0.9},
}
ASKED = ("independent rows", "a day's rows share a level")
LONG_RUN = 4_000
"""Days by which the expected change is known."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where an interval holds the truth less often than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="worlds in each line")
    options = parser.parse_args(argv)
    worlds = 3 if options.tiny else options.worlds
    least = RATE - 3 * (RATE * (1 - RATE) / worlds) ** 0.5
    measures: list[Measure] = []
    for size in SIZES[: 1 if options.tiny else None]:
        for words, likeness in ALIKE.items():
            asked = f">= {least:.3f}" if words in ASKED else ""
            measures += measure(replace(size, **likeness), words, worlds, asked)
            if not options.tiny:
                write("effects", measures)
    show("Effects", measures)
    missed = [m for m in measures if m["asked"] and m["value"] < least]
    return 0 if options.tiny else int(bool(missed))


def measure(scene: Scene, words: str, worlds: int, asked: str) -> list[Measure]:
    """Return how often both intervals hold the truth."""
    gain = _expected_change(scene)
    told: dict[str, list[bool]] = {MEASURED: [], EXPECTED: []}
    for seed in range(worlds):
        for what, found, truth in _look(scene, seed, gain):
            if found is not None and not found.untold:
                told[what].append(found.low <= truth <= found.high)
    title = f"{scene.rows * scene.days:,} rows in {scene.days} days: {words}"
    return [
        {
            "measure": f"{title}: {what}, 95 % intervals that hold the truth",
            "value": round(float(np.mean(held)), 4),
            "unit": "share",
            "asked": asked if what == MEASURED else "",
        }
        for what, held in told.items()
        if held
    ]


def _look(scene: Scene, seed: int, gain: float) -> Iterator[tuple[str, Expected | None, float]]:
    quiet = make(scene, seed)
    answered, y = quiet.windows[0]
    view = View(_sample(answered, y), _sample(quiet.held, quiet.held.y))
    yield MEASURED, measure_loss(view), 0.0
    moved = make(replace(scene, change="inputs"), seed)
    rows = Sample(moved.windows[0][0].columns, moved.windows[0][0].times)
    view = View(rows, _sample(moved.held, moved.held.y))
    yield EXPECTED, expect_loss(view, weigh_rows(view, seed)), gain


def _sample(side: Any, y: Array) -> Sample:
    return Sample(side.columns, side.times, side.p, np.abs(y - side.p))


def _expected_change(scene: Scene) -> float:
    """Return by how much the mean loss is greater on other inputs, in the long run.

    The same draws make both, so that levels of days and noise count on neither side.
    """
    means = []
    for change in ("nothing", "inputs"):
        long = replace(scene, change=change, days=LONG_RUN, past=1)  # type: ignore[arg-type]
        answered, y = make(long, seed=10_000).windows[0]
        means.append(float(np.abs(y - answered.p).mean()))
    return means[1] - means[0]


if __name__ == "__main__":
    sys.exit(main())
