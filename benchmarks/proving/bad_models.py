"""Bad models and bad evaluations, each of which the gate is to refuse.

They are fixed: what is changed to let the gate catch one is the gate, or what its spec declares,
never the case. Where it can be, a case is tempting: in the metric that decides it is better than
the champion, and only what it is called after speaks against it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit, logit

from benchmarks.proving import bad_evaluations as evaluations
from benchmarks.proving.nature import LEARNT, Nature, Recipe, offers
from benchmarks.proving.scene import BETTER, HUGE, SLOW, TREE, Bad, only_learnt, set_column

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.proving.scene import Scene
    from benchmarks.proving.world import Trained, World

    Array = np.ndarray[Any, Any]


def shuffled_labels(scene: Scene) -> tuple[World, Trained]:
    """Learn from labels in another order."""

    def shuffle(table: pa.Table) -> pa.Table:
        order = np.random.default_rng(table.num_rows).permutation(table.num_rows)
        return set_column(table, "taken", table["taken"].to_numpy()[order])

    return scene.train(BETTER, change=only_learnt(shuffle))


def leak(scene: Scene) -> tuple[World, Trained]:
    """Learn from a column that is known only once the outcome is."""
    return scene.train(replace(BETTER, inputs=f"{BETTER.inputs}, settled"))


def constant(scene: Scene) -> tuple[World, Trained]:
    """Answer the same to every row."""
    return scene.spoil(lambda answers, _: np.full_like(answers, answers.mean()))


def stale(scene: Scene) -> tuple[World, Trained]:
    """Learn from days of another nature."""
    old = Nature(a=0.3, b=0.2, c=-0.3, mail=-0.8)
    world = scene.world

    def before(day: int, table: pa.Table) -> pa.Table:
        return offers(day, world.per_day, world.seed, old) if day in LEARNT else table

    return scene.train(BETTER, change=before)


def broken_slice(scene: Scene) -> tuple[World, Trained]:
    """Answer the opposite in one region, a tenth of the rows."""
    return scene.spoil(
        lambda answers, rows: np.where(
            pc.equal(rows["region"], "west").to_numpy(), 1 - answers, answers
        )
    )


def biased(scene: Scene) -> tuple[World, Trained]:
    """Answer too high by half a logit, everywhere."""
    return scene.spoil(_in_logits(lambda z: z + 0.5))


def over_confident(scene: Scene) -> tuple[World, Trained]:
    """Be four times as sure as it may be."""
    return scene.spoil(_in_logits(lambda z: 4 * z))


def under_confident(scene: Scene) -> tuple[World, Trained]:
    """Be a twentieth as sure as it may be."""
    return scene.spoil(_in_logits(lambda z: 0.05 * z))


def shifted(scene: Scene) -> tuple[World, Trained]:
    """Answer too high by two logits."""
    return scene.spoil(_in_logits(lambda z: z + 2))


def slow(scene: Scene) -> tuple[World, Trained]:
    """Look at every row that was learnt for each answer, which nothing compiles."""
    return scene.train(replace(BETTER, estimator=SLOW))


def huge(scene: Scene) -> tuple[World, Trained]:
    """Keep what was learnt in a hundred deep trees."""
    return scene.train(replace(BETTER, estimator=HUGE))


def swapped_sides(scene: Scene) -> tuple[World, Trained]:
    """Be the worse of both, so that a gate that mixes up the sides promotes it."""
    weak = f"{TREE}, params: {{max_depth: 2}}"
    return scene.train(Recipe(estimator=weak))


def nan_metric(scene: Scene) -> tuple[World, Trained]:
    """Answer nothing that is a number, so that no metric is one."""
    return scene.spoil(lambda answers, _: np.full_like(answers, np.nan))


def one_nan(scene: Scene) -> tuple[World, Trained]:
    """Answer one row with NaN."""
    return scene.spoil(lambda answers, _: np.where(np.arange(len(answers)) == 3, np.nan, answers))


def _in_logits(change: Callable[[Array], Array]) -> Callable[[Array, pa.Table], Array]:
    return lambda answers, _: expit(change(logit(answers.clip(1e-9, 1 - 1e-9))))


BAD = (
    Bad("shuffled labels", "its labels were in another order", shuffled_labels),
    Bad("leak", "one input is known only once the outcome is", leak),
    Bad("constant", "it answers the same to every row", constant),
    Bad("stale", "it has learnt from days of another nature", stale),
    Bad("broken slice", "it answers the opposite in one region", broken_slice),
    Bad("biased", "its probabilities are too high by half a logit", biased),
    Bad("over-confident", "its logits are four times too far from zero", over_confident),
    Bad("under-confident", "its logits are a twentieth of what they should be", under_confident),
    Bad("shifted", "its probabilities are too high by two logits", shifted),
    Bad("slow", "it looks at every row that was learnt for each answer", slow),
    Bad("huge", "it keeps what it learnt in a hundred deep trees", huge),
    Bad("swapped sides", "it is the worse of both: promoted if sides are mixed up", swapped_sides),
    Bad("NaN metric", "no answer is a number", nan_metric),
    Bad("one NaN", "one answer is no number", one_nan),
    Bad("empty holdout", "no outcome of the held-out rows is known", evaluations.empty_holdout),
    Bad(
        "holdout seen by challenger",
        "it knows the held-out rows by heart",
        evaluations.seen_by_challenger,
    ),
    Bad(
        "holdout seen by champion",
        "the champion has learnt from these rows",
        evaluations.seen_by_champion,
    ),
    Bad("tie", "it is the champion's recipe on the champion's rows", evaluations.tie),
    Bad(
        "worse by a hair",
        "it is the champion, but for one row in fifty",
        evaluations.worse_by_a_hair,
    ),
    Bad("better only by luck", "it is as good as the champion, and looks better", evaluations.luck),
    Bad("off by one row", "each answer belongs to the next row", evaluations.off_by_one),
    Bad("one class in the holdout", "no held-out offer was taken", evaluations.one_class),
    Bad(
        "missing metric", "the precision that is asked for has no value", evaluations.missing_metric
    ),
    Bad("champion cannot be loaded", "the champion's bundle is damaged", evaluations.lost_champion),
)
"""They stay as they are: what may change is the gate."""
