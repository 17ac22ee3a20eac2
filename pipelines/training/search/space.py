"""The values that a search tries, by the spec's names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.spec import Range
from pipelines.training.parameters import default_of

if TYPE_CHECKING:
    from pipelines.spec import Candidate


@dataclass(frozen=True)
class Drawn:
    """A distribution for ParameterSampler over a `Range`.

    Uniform or log-uniform, rounded where the parameter is a whole number.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def rvs(self, random_state: Any = None) -> float | int:
        """Draw one value."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = random_state.uniform(low, high)
        value = min(max(math.exp(value) if self.log else value, self.low), self.high)
        return round(value) if self.whole else float(value)


Space = dict[str, list[Any] | Drawn]


def space_of(candidate: Candidate, pipeline: Any) -> Space:
    """Return the search space by the spec's names.

    A `Range` is drawn in whole numbers where it says so; where it does not, if the estimator's
    default is one (max_iter), or is no number at all (max_depth: None) and both bounds are whole.
    """
    space: Space = {}
    for name, values in candidate.search.items():
        if isinstance(values, Range):
            whole = values.whole
            if whole is None:
                whole = _is_whole(default_of(pipeline, candidate, name), values)
            space[name] = Drawn(values.low, values.high, values.log, whole)
        else:
            space[name] = list(values)
    return space


def settings_of(space: Space, trials: int, seed: int, method: str | None) -> list[dict[str, Any]]:
    """Return the settings to try: the whole grid, or `trials` of them drawn by the seed.

    Without a method the grid is tried whole where it has no more settings than `trials`.
    """
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    size = math.prod(len(v) if isinstance(v, list) else trials + 1 for v in space.values())
    if not space or method == "grid" or size <= trials:
        return list(ParameterGrid(space))
    return list(ParameterSampler(space, trials, random_state=seed))


def plain(setting: dict[str, Any]) -> dict[str, Any]:
    """Return a setting with Python's own numbers."""
    return {name: _plain(value) for name, value in setting.items()}


def _is_whole(default: Any, values: Range) -> bool:
    if isinstance(default, int | float) and not isinstance(default, bool):
        return isinstance(default, int)
    return all(float(bound).is_integer() for bound in (values.low, values.high))


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
