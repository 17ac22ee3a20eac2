"""Bad evaluations: a holdout, a champion or a comparison that should convince nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import roc_auc_score

from benchmarks.proving.nature import HELD, LEARNT, Recipe
from benchmarks.proving.scene import BETTER, TREE, TWINS, set_column, twin_answers
from benchmarks.proving.world import with_answers
from pipelines.store.port import verify_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.proving.scene import Scene
    from benchmarks.proving.world import Trained, World
    from pipelines.refs import Ref
    from pipelines.store.port import Store

    Array = np.ndarray[Any, Any]


def empty_holdout(scene: Scene) -> tuple[World, Trained]:
    """Be judged on days of which no outcome is known."""

    def forget(day: int, table: pa.Table) -> pa.Table:
        unknown = pa.nulls(table.num_rows, pa.bool_())
        return set_column(table, "taken", unknown) if day in HELD else table

    return _judged_on(scene, forget)


def one_class(scene: Scene) -> tuple[World, Trained]:
    """Be judged on offers of which none was taken."""

    def refuse(day: int, table: pa.Table) -> pa.Table:
        return table.filter(pc.invert(table["taken"])) if day in HELD else table

    return scene.train(BETTER, change=refuse)


def _judged_on(scene: Scene, change: Callable[[int, pa.Table], pa.Table]) -> tuple[World, Trained]:
    """Return the better challenger, to be judged on other days than it was trained beside."""
    better = scene.again(scene.better)
    built = scene.world.build(better.context, LEARNT, HELD, change)
    return scene.world, replace(better, features=built)


def seen_by_challenger(scene: Scene) -> tuple[World, Trained]:
    """Know the held-out rows by heart."""
    later = range(HELD.stop, HELD.stop + 5)
    recipe = scene.recipe(replace(BETTER, estimator=TREE))
    by_heart = scene.world.train(recipe, range(LEARNT.start, HELD.stop), later)
    honest = scene.world.train(recipe)
    answers = by_heart.answer(honest.held)
    told = with_answers(honest, lambda *_: answers)
    result = by_heart.result.model_copy(update={"predictions": told.result.predictions})
    return scene.world, replace(told, result=result)


def seen_by_champion(scene: Scene) -> tuple[World, Trained]:
    """Be judged on rows from which the champion has learnt."""
    world = scene.make()
    world.crown(scene.recipe(Recipe()), range(LEARNT.start, HELD.stop))
    return world, world.train(scene.recipe(BETTER))


def tie(scene: Scene) -> tuple[World, Trained]:
    """Be the champion's recipe, fitted on the rows that the champion was fitted on."""
    return scene.train(Recipe())


def worse_by_a_hair(scene: Scene) -> tuple[World, Trained]:
    """Answer as the champion does, but for one row in fifty, which gets another row's answer."""
    champions = scene.world.champion_answers(scene.better.held)

    def mix(*_: Any) -> Array:
        rng = np.random.default_rng(17)
        answers = champions.copy()
        places = rng.choice(len(answers), len(answers) // 50, replace=False)
        answers[places] = answers[np.roll(places, 1)]
        return answers

    return scene.spoil(mix)


def luck(scene: Scene) -> tuple[World, Trained]:
    """Be exactly as good as the champion, and look better on these rows by chance.

    It is the champion, asked of the twin `b` in place of `a` where a coin says so. Of the coins by
    their seeds it is the first that looks better.
    """
    trained = scene.world.train(scene.recipe(TWINS))
    held, truth = trained.held, trained.truth
    twin, champions = twin_answers(scene.world, held), scene.world.champion_answers(held)
    for seed in range(100):
        coin = np.random.default_rng(seed).random(len(truth)) < 0.5
        lucky = np.where(coin, twin, champions)
        if roc_auc_score(truth, lucky) > roc_auc_score(truth, champions):
            return scene.world, with_answers(trained, lambda *_, found=lucky: found)
    raise AssertionError("no coin of a hundred was lucky")


def off_by_one(scene: Scene) -> tuple[World, Trained]:
    """Answer each row with what belongs to the next."""
    return scene.spoil(lambda answers, _: np.roll(answers, 1))


def missing_metric(scene: Scene) -> tuple[World, Trained]:
    """Call no row positive, so that the precision which the gate asks for has no value."""
    asked = "{at_least: {roc_auc: 0.6, precision: 0.5}, versus_champion: {metric: roc_auc}}"
    trained = scene.world.train(replace(BETTER, gate=asked))
    return scene.world, with_answers(trained, lambda answers, _: answers / 2.5)


class _Damaged:
    """A store of which one object is damaged."""

    def __init__(self, store: Store, damaged: Ref) -> None:
        self._store, self._damaged = store, damaged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, ref: Ref) -> bytes:
        """Return the verified bytes. Raises Corrupted for the damaged object."""
        return verify_bytes(ref, b"damaged") if ref == self._damaged else self._store.get(ref)


def lost_champion(scene: Scene) -> tuple[World, Trained]:
    """Meet a champion that cannot be loaded, and know next to nothing."""
    champion = scene.world.ports.ledger.champion("offers")
    assert champion is not None
    store: Any = _Damaged(scene.world.ports.store, champion.bundle)
    world = replace(scene.world, ports=replace(scene.world.ports, store=store))
    trained = world.train(scene.recipe(Recipe(inputs="d, e, region")))
    scene.world.runs = world.runs
    return world, trained
