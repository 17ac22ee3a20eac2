"""Worlds of answers that claim something of their outcomes: claims that hold, and that fail by a
stated size from the window on.

Outcomes are as much alike as a world's rows: what decides each outcome is like the one before, or
shares a level with its day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import expit, ndtr

from benchmarks.watching.worlds import draw_latent, lay_days
from pipelines.science.changes.facts import Sample
from pipelines.science.claims import find_claims
from pipelines.science.row_losses import row_losses

if TYPE_CHECKING:
    from benchmarks.watching.worlds import Shape
    from pipelines.tasks import Task

Array = np.ndarray[Any, Any]
Kind = Literal["probabilities", "classes", "intervals", "values"]
TASKS: dict[Kind, tuple[Task, str]] = {
    "probabilities": ("binary", "brier"),
    "intervals": ("quantiles", "pinball"),
    "classes": ("multiclass", "brier"),
    "values": ("regression", "mae"),
}
"""The task of each kind of answers, and a metric."""
LEVELS = (0.05, 0.5, 0.95)
_NORMAL = np.array([-1.6448536269514722, 0.0, 1.6448536269514722])
_STEEP, _RARE = 1.5, -0.5
"""Log odds have this deviation, and of two classes this mean."""
LATENT = 3
"""Normal values that an answer follows from; one more decides the outcome."""


@dataclass(frozen=True)
class Failure:
    """How outcomes differ from what answers claim: log odds (or deviations from the answer) are so
    many `times` what is stated, and `moved` by so much more.
    """

    times: float = 1.0
    moved: float = 0.0


HOLDS = Failure()


def make_claims(
    kind: Kind, shape: Shape, seed: int, failure: Failure = HOLDS
) -> tuple[Sample, Sample]:
    """Return the losses and claims of a window and of its reference; the first fails so."""
    rng = np.random.default_rng([seed, shape.rows, len(kind)])
    times, day, before = lay_days(shape)
    latent = draw_latent(rng, shape, day)
    y, p = answer(kind, latent[before:], failure)
    sides = (y, p), answer(kind, latent[:before], HOLDS)
    task, metric = TASKS[kind]
    levels = LEVELS if task == "quantiles" else ()
    claims = find_claims(task, *sides, levels=levels)
    moments = (None, None) if times is None else (times[before:], times[:before])
    window, reference = (
        Sample({}, moment, losses=row_losses(metric, task, *side, levels), claims=claimed)
        for moment, side, claimed in zip(moments, sides, claims, strict=True)
    )
    return window, reference


def answer(kind: Kind, latent: Array, failure: Failure) -> tuple[Array, Array]:
    """Return the outcomes and answers of rows with normal values (n, 4)."""
    own = latent[:, -1]
    if kind == "probabilities":
        odds = _STEEP * latent[:, 0] + _RARE
        truth = expit(odds * failure.times + failure.moved)
        return (ndtr(own) < truth).astype(np.int64), expit(odds)
    if kind == "classes":
        odds = _STEEP * latent[:, :LATENT]
        moved = odds * failure.times + np.array([failure.moved, 0.0, 0.0])
        below = _shares(moved).cumsum(axis=1)[:, :-1]
        return (ndtr(own)[:, None] > below).sum(axis=1), _shares(odds)
    off = own * failure.times + failure.moved
    if kind == "values":
        return latent[:, 0] + off, latent[:, 0]
    wide = np.exp(0.3 * latent[:, 1])
    return latent[:, 0] + wide * off, latent[:, :1] + wide[:, None] * _NORMAL


def _shares(odds: Array) -> Array:
    powers = np.exp(odds)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
