"""A world with a champion and a better challenger, which each bad case spoils in its own way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchmarks.proving.nature import GATE, LEARNT, Recipe
from benchmarks.proving.world import with_answers

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from benchmarks.proving.world import Trained, World

    Array = np.ndarray[Any, Any]

BETTER = Recipe(inputs="a, c, d, e, channel, region")
"""What beats the champion honestly: it knows one input more."""
TWINS = Recipe(inputs="a, b, d, e, channel, region")
"""What has the rows of both twins."""
SLOW = "sklearn.neighbors.KNeighborsClassifier, params: {n_neighbors: 100}"
HUGE = "sklearn.ensemble.RandomForestClassifier, params: {n_estimators: 100, min_samples_leaf: 8}"
TREE = "sklearn.tree.DecisionTreeClassifier"


@dataclass(frozen=True)
class Bad:
    """One case: its name, what is wrong with it, and how it comes about.

    `make` is given the scene, and returns the challenger and the world that knows its champion.
    """

    name: str
    says: str
    make: Callable[[Scene], tuple[World, Trained]]


class Scene:
    """A world with a champion, and a challenger that is better than it, for the cases to spoil."""

    def __init__(self, make: Callable[[], World], gate: str = GATE) -> None:
        """`make` returns a new, empty world; `gate` is what each spec says of the gate."""
        self.make, self.gate = make, gate
        self.world = make()
        self.world.crown(self.recipe(Recipe()))
        self.better = self.world.train(self.recipe(BETTER))

    def recipe(self, recipe: Recipe, **changes: str) -> Recipe:
        """Return a recipe with this scene's gate."""
        return replace(recipe, **{"gate": self.gate, **changes})

    def spoil(self, change: Callable[[Array, pa.Table], Array]) -> tuple[World, Trained]:
        """Return the better challenger with its answers changed."""
        return self.world, self.again(with_answers(self.better, change))

    def again(self, trained: Trained) -> Trained:
        """Return a challenger under a run of its own, so that each has its own verdict."""
        self.world.runs += 1
        return replace(trained, run=f"run-{self.world.runs}")

    def train(self, recipe: Recipe, **how: Any) -> tuple[World, Trained]:
        """Return another challenger, trained in the same world."""
        return self.world, self.world.train(self.recipe(recipe), **how)


def set_column(table: pa.Table, column: str, values: Any) -> pa.Table:
    """Return the table with other values (n,) in a column."""
    return table.set_column(table.column_names.index(column), column, pa.array(values))


def only_learnt(change: Callable[[pa.Table], pa.Table]) -> Callable[[int, pa.Table], pa.Table]:
    """Return a change of the days that a challenger learns from, and of no other."""
    return lambda day, table: change(table) if day in LEARNT else table


def twin_answers(world: World, rows: pa.Table) -> Array:
    """Return the champion's answers to rows (n,) in which the twins `a` and `b` are exchanged."""
    names = {"a": "b", "b": "a"}
    return world.champion_answers(
        rows.rename_columns([names.get(name, name) for name in rows.column_names])
    )
