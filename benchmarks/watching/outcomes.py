"""Worlds whose outcomes are known afterwards: what a model promised, and what then came to pass.

A model answers by five inputs. Rows lie in days, whose outcomes may share a level, and a day's
level may be like that of the day before. Then nothing changes, or the inputs are others, or the
same inputs have other outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit

from benchmarks.watching.worlds import BEGINNING, CATEGORIES, DAY
from pipelines.science.before_labels.estimate import Answered, Judged

Array = np.ndarray[Any, Any]
Change = Literal["nothing", "inputs", "concept"]
Task = Literal["binary", "multiclass", "regression"]
SHIFT = 0.7
"""By how many standard deviations the first two inputs move."""
CLASSES = 3


@dataclass(frozen=True)
class Scene:
    """What a world is like: `days` and `past` days of `rows` rows each, in window and holdout.

    `level` is how much the rows of a day share, and `memory` how much of it stays from day to day.
    Where `blind`, the model does not see that two inputs act together.
    """

    task: Task
    change: Change
    rows: int
    days: int
    past: int
    level: float = 0.0
    memory: float = 0.0
    blind: bool = False


@dataclass(frozen=True)
class World:
    """Held-out rows, and windows with their outcomes (n,)."""

    held: Judged
    windows: list[tuple[Answered, Array]]


def make(scene: Scene, seed: int, windows: int = 1) -> World:
    """Return one world; its windows follow each other, and the first follows the holdout."""
    rng = np.random.default_rng([seed, scene.rows, scene.days])
    spans = [scene.past, *[scene.days] * windows]
    level = scene.level * _levels(rng, sum(spans), scene.memory)
    starts = np.cumsum([0, *spans])
    parts = []
    for place, (start, days) in enumerate(zip(starts, spans, strict=False)):
        change = scene.change if place else "nothing"
        parts.append(_part(rng, scene, change, start, level[start : start + days]))
    held = Judged(*parts[0])
    return World(held, [(Answered(*rest), y) for y, *rest in parts[1:]])


def _levels(rng: np.random.Generator, days: int, memory: float) -> Array:
    shocks = rng.normal(size=days) * (1 - memory**2) ** 0.5
    shocks[0] /= (1 - memory**2) ** 0.5
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks))


def _part(
    rng: np.random.Generator, scene: Scene, change: Change, start: int, level: Array
) -> tuple[Array, Array, Array, dict[str, Array]]:
    """Return outcomes, answers, times and inputs of some days."""
    count = scene.rows * len(level)
    x = rng.normal(size=(count, 4))
    kinds = rng.choice(6, count)
    if change == "inputs":
        x[:, :2] += SHIFT
    day = np.repeat(np.arange(len(level)), scene.rows)
    within = (np.arange(count) % scene.rows) * (DAY // scene.rows)
    times = BEGINNING + ((start + day) * DAY + within).astype("timedelta64[us]")
    columns = {f"x{i}": x[:, i] for i in range(4)} | {"kind": CATEGORIES[kinds]}
    seen = x[:, 0] - 0.7 * x[:, 1] + 0.3 * (kinds - 2.5) / 1.7
    true = seen + (0.8 * x[:, 0] * x[:, 1] if scene.blind else 0.0)
    true = (-0.6 * true if change == "concept" else true) + level[day]
    if scene.task == "regression":
        noise = rng.normal(size=count) * (0.5 + 0.5 * np.abs(x[:, 0]))
        return 10 + 3 * true + noise, 10 + 3 * seen, times, columns
    if scene.task == "binary":
        y = (rng.random(count) < expit(true - 0.8)).astype(np.int64)
        return y, expit(1.5 * (seen - 0.8) + 0.3), times, columns
    scores = np.column_stack([true, -true, 0.5 * x[:, 2]])
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    told = np.exp(1.4 * np.column_stack([seen, -seen, 0.5 * x[:, 2]]))
    return y, told / told.sum(axis=1, keepdims=True), times, columns
