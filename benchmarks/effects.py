"""How often the interval of an effect holds what it is of: the change of the mean loss.

`python -m benchmarks.effects` from the checkout; `--worlds 100` asks for fewer than 400 in a line.

The interval of what is measured on labels should hold the change of the expected loss: 0, where
nothing changes, however high the levels of the window's days happen to be. That of what is expected
before labels should hold by how much the held-out days would have been worse on such rows.
A claim is the bias of probabilities: where levels of days move a loss either way, they move a bias
with their sign, and its days are more alike than those of a loss. Nothing is asked of a level that
outlasts the past and hides behind the noise of rows, as so short a past cannot show it, and where a
month lies between a short past and a window whose days are much alike.
Worlds are those of `benchmarks.before_labels`, with the absolute errors of a regression.
Asked is 95 % less three standard errors of so many worlds, of the intervals that are told. In how
many worlds nothing can be said is told beside it, and how much wider an interval is than one of the
same days that takes them as independent.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report import Measure, asked_worlds, show, write
from benchmarks.watching.outcomes import Scene, make
from pipelines.science.causes.view import View
from pipelines.science.causes.weights import weigh_rows
from pipelines.science.changes.facts import Sample
from pipelines.science.effects.alike_days import cut_days, reach_of_means
from pipelines.science.effects.expectation import expect_loss
from pipelines.science.effects.measured import measure_change

if TYPE_CHECKING:
    from pipelines.science.effects.effect import Expected

Array = np.ndarray[Any, Any]
MEASURED, CLAIM = "measured on labels", "a bias measured on labels"
EXPECTED = "expected before labels"
HOLD, WIDTH = "95 % intervals that hold the truth", "times that of independent days"
WORLDS, RATE = 400, 0.95
SIZES = (
    Scene("regression", "nothing", rows=30, days=10, past=30),
    Scene("regression", "nothing", rows=100, days=30, past=60),
)
ALIKE: dict[str, dict[str, Any]] = {
    "independent rows": {},
    "a day's rows share a level": {"level": 0.5},
    "days half like the one before": {"level": 0.5, "memory": 0.5},
    "days rather like the one before": {"level": 0.5, "memory": 0.7},
    "days much like the one before": {"level": 0.5, "memory": 0.9},
}
LATER = "days much like the one before, a month after the past"
UNASKED: dict[str, dict[str, Any]] = {
    LATER: {"level": 0.5, "memory": 0.9},
    "a weak level that outlasts the past": {"level": 0.15, "memory": 0.97},
}
BETWEEN = 30
"""Days that a month after the past has between the past and the window, which else follows it."""
LONG_RUN = 4_000
"""Days by which the expected change is known."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where an interval holds the truth less often than asked."""
    tiny, worlds = asked_worlds(__doc__, argv, WORLDS)
    worlds = 3 if tiny else worlds
    least = RATE - 3 * (RATE * (1 - RATE) / worlds) ** 0.5
    measures: list[Measure] = []
    for size in SIZES[: 1 if tiny else None]:
        for words, likeness in (ALIKE | UNASKED).items():
            asked = f">= {least:.3f}" if words in ALIKE else ""
            measures += measure(replace(size, **likeness), words, worlds, asked)
            if not tiny:
                write("effects", measures)
    show("Effects", measures)
    missed = [m for m in measures if m["asked"] and m["value"] < least]
    return 0 if tiny else int(bool(missed))


def measure(scene: Scene, words: str, worlds: int, asked: str) -> list[Measure]:
    """Return how often intervals hold the truth, and in how many worlds nothing is told."""
    held: dict[str, list[bool]] = {MEASURED: [], CLAIM: []}
    wider: dict[str, list[float]] = {MEASURED: [], CLAIM: []}
    later = BETWEEN // scene.days if words == LATER else 0
    gain = 0.0
    if not later:  # what is expected has no window's days in it
        held[EXPECTED], gain = [], _expected_change(scene)
    for seed in range(worlds):
        for what, view in (
            (MEASURED, _quiet(scene, seed, later)),
            (CLAIM, _claiming(scene, seed, later)),
        ):
            own, past = view.window.losses, view.reference.losses
            assert own is not None
            assert past is not None
            change = measure_change(view, own, past)
            if change is not None and not change.untold:
                held[what].append(change.low <= 0 <= change.high)
                wider[what].append((change.high - change.low) / 2 / _reach_of_independent(view))
        expected = _expect(scene, seed) if not later else None
        if expected is not None and not expected.untold:
            held[EXPECTED].append(expected.low <= gain <= expected.high)
    title = f"{scene.rows * scene.days:,} rows in {scene.days} days: {words}"
    measures: list[Measure] = []
    for what, each in held.items():
        line, silent = f"{title}: {what}", 1 - len(each) / worlds
        if each:
            share = float(np.mean(each))
            measures.append(_tell(f"{line}, {HOLD}", share, asked=asked))
        measures.append(_tell(f"{line}, cannot be said", silent))
        if wider.get(what):
            times = float(np.median(wider[what]))
            measures.append(_tell(f"{line}, width (median)", times, WIDTH))
    return measures


def _tell(line: str, value: float, unit: str = "share", *, asked: str = "") -> Measure:
    return {"measure": line, "value": round(value, 4), "unit": unit, "asked": asked}


def _quiet(scene: Scene, seed: int, later: int) -> View:
    """Return a window, labelled, in which nothing has changed, beside its past; `later` windows lie
    between them.
    """
    world = make(scene, seed, later + 1)
    answered, y = world.windows[later]
    return View(_sample(answered, y), _sample(world.held, world.held.y))


def _claiming(scene: Scene, seed: int, later: int) -> View:
    """Return such a window of probabilities, with what they are too low by in place of losses."""
    world = make(replace(scene, task="binary"), seed, later + 1)
    answered, y = world.windows[later]
    window = Sample(answered.columns, answered.times, answered.p, y - answered.p)
    held = world.held
    return View(window, Sample(held.columns, held.times, held.p, held.y - held.p))


def _expect(scene: Scene, seed: int) -> Expected | None:
    """Return what is expected of a window of other inputs."""
    world = make(replace(scene, change="inputs"), seed)
    rows = Sample(world.windows[0][0].columns, world.windows[0][0].times)
    view = View(rows, _sample(world.held, world.held.y))
    return expect_loss(view, weigh_rows(view, seed))


def _reach_of_independent(view: View) -> float:
    """Return how far the change may lie if days are independent."""
    sides = []
    for sample, blocks in zip((view.window, view.reference), view.blocks, strict=True):
        assert sample.losses is not None
        known = np.isfinite(sample.losses)
        sides.append(cut_days(sample.losses, known, blocks, timed=False))
    return reach_of_means(*sides, confidence=RATE).reach


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
