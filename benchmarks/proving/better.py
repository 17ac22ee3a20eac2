"""Models that are truly better than their champion, and models that are exactly as good.

Better: by at least `LEAST_GAIN` in the true area under the ROC curve, which is measured on many
fresh rows, in one of four ways. As good: the champion itself, asked of a twin input that tells
exactly as much, so that in truth nothing differs in any metric.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from benchmarks.proving.nature import HELD, LEARNT, TODAY, Nature, Recipe, offers
from benchmarks.proving.outcomes import judge
from benchmarks.proving.scene import BETTER, TWINS, twin_answers
from benchmarks.proving.world import World, scratch
from pipelines.training import predictions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.proving.outcomes import Outcome
    from benchmarks.proving.world import Trained
    from pipelines.judging.trial_server import Servers

    Array = np.ndarray[Any, Any]

LEAST_GAIN = 0.03
FRESH_DAYS, FRESH_ROWS = 20, 1_000
SPAN = len(LEARNT) + len(HELD)
CHALLENGERS = 5
"""Challengers of one champion, each with days of its own to learn from and to be judged on."""
TRIES = 3
"""So many times as many challengers are made as are asked for, at most."""
BOOSTED = "sklearn.ensemble.HistGradientBoostingClassifier, params: {max_iter: 40}"


@dataclass(frozen=True)
class Kind:
    """One way to be better: both recipes, and how nature is for the champion and afterwards.

    The champion learns from the last `champions_days` of its days.
    """

    name: str
    champion: Recipe
    challenger: Recipe
    now: Nature = TODAY
    before: Nature | None = None
    champions_days: int = len(LEARNT)


KINDS = (
    Kind("one input more", Recipe(), BETTER, Nature(c=0.7)),
    Kind("a better estimator", Recipe(), Recipe(estimator=BOOSTED), Nature(both=1.2, b=0.3, c=0.3)),
    Kind("a newer concept", Recipe(), Recipe(), before=Nature(a=0.3, d=-0.3, mail=-0.6)),
    Kind(
        "more rows",
        Recipe(estimator=BOOSTED),
        Recipe(estimator=BOOSTED),
        Nature(a=1.2, d=0.8),
        champions_days=5,
    ),
)


@dataclass(frozen=True)
class Judged:
    """A challenger's true gain over its champion, and what became of it."""

    kind: str
    gain: float
    outcome: Outcome


def judge_better(
    kind: Kind, count: int, seed: int, per_day: int, gate: str, servers: Servers
) -> list[Judged]:
    """Return what becomes of so many truly better challengers of a kind.

    Raises RuntimeError where the kind does not make so many.
    """
    found: list[Judged] = []
    challengers = islice(_challengers(kind, seed, per_day, gate, servers), TRIES * count)
    for number, (world, trained, nature) in enumerate(challengers):
        gain = true_gain(world, trained, nature, number)
        if gain >= LEAST_GAIN:
            found.append(Judged(kind.name, gain, judge(world, trained)))
        if len(found) == count:
            return found
    raise RuntimeError(f"only {len(found)} challengers are truly better by {kind.name}")


def _challengers(
    kind: Kind, seed: int, per_day: int, gate: str, servers: Servers
) -> Iterator[tuple[World, Trained, Nature]]:
    while True:
        natures = dict.fromkeys(LEARNT, kind.before or kind.now)
        later = range(LEARNT.stop, LEARNT.stop + CHALLENGERS * SPAN)
        natures |= dict.fromkeys(later, kind.now)
        world = World(scratch(), seed=seed, per_day=per_day, natures=natures, servers=servers)
        world.crown(replace(kind.champion, gate=gate), LEARNT[-kind.champions_days :])
        recipe = replace(kind.challenger, gate=gate)
        for first in later[::SPAN]:
            learnt = range(first, first + len(LEARNT))
            yield world, world.train(recipe, learnt, range(learnt.stop, first + SPAN)), kind.now
        seed += 1


def true_gain(world: World, trained: Trained, nature: Nature, seed: int) -> float:
    """Return how much better the challenger ranks fresh rows than the champion (area under the
    curve).
    """
    days = range(100_000, 100_000 + FRESH_DAYS)
    fresh = pa.concat_tables([offers(day, FRESH_ROWS, 1_000 + seed, nature) for day in days])
    truth = fresh["taken"].to_numpy()
    ours, theirs = trained.answer(fresh), world.champion_answers(fresh)
    return float(roc_auc_score(truth, ours) - roc_auc_score(truth, theirs))


def judge_equal(
    count: int, seed: int, per_day: int, gate: str, champions: int, servers: Servers
) -> list[Outcome]:
    """Return what becomes of so many challengers of each of the champions that are as good."""
    found: list[Outcome] = []
    for champion in range(champions):
        world = World(scratch(), seed=seed + champion, per_day=per_day, servers=servers)
        world.crown(Recipe(gate=gate))
        trained = world.train(replace(TWINS, gate=gate))
        for number in range(count):
            first = LEARNT.stop + number * len(HELD)
            found.append(judge(world, _twin(world, trained, range(first, first + len(HELD)))))
    return found


def _twin(world: World, trained: Trained, held: range) -> Trained:
    """Return the champion, asked of the twin input, as a challenger judged on the days `held`."""
    built = world.build(trained.context, LEARNT, held)
    twin = replace(trained, features=built, run=f"run-{world.runs}")
    answers = twin_answers(world, twin.held)
    store, spec = world.ports.store, trained.context.spec
    constant = np.full_like(answers, twin.truth.mean())
    ref = predictions.write(store, spec, twin.held, score=answers, dummy=constant, classes=None)
    return replace(twin, result=trained.result.model_copy(update={"predictions": ref}))
