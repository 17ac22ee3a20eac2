"""What a spec says of a search: the values to try, how they are chosen, and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.estimators import LOCKED
from pipelines.spec.numbers import Finite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Method = Literal["grid", "random", "halving", "optuna"]
MOST_OF_A_GRID = 1_000
"""Settings that a grid may have at most; more would be no search but a mistake."""
LEAST_ROUNDS = 4
"""Rounds at least in which Optuna proposes settings, where there are so many."""
TRIALS = 20
"""How many settings are tried where the spec does not say."""

Trials = Annotated[int, Field(ge=1, le=1_000)]
Minutes = Annotated[float, Field(gt=0, le=7 * 24 * 60, allow_inf_nan=False)]


class Range(Value):
    """A range to draw a parameter from."""

    low: Finite
    """The least value."""
    high: Finite
    """The greatest value."""
    log: bool = False
    """Whether small values are as likely as great ones, by their logarithm."""
    whole: bool | None = None
    """Whether only whole numbers are drawn; default: where the estimator's default is one."""

    @model_validator(mode="after")
    def _check_order(self) -> Range:
        if not self.low < self.high:
            msg = "`low` must lie below `high`"
            raise ValueError(msg)
        if self.log and self.low <= 0:
            msg = "a log range must start above 0"
            raise ValueError(msg)
        if self.whole and not (float(self.low).is_integer() and float(self.high).is_integer()):
            msg = "`low` and `high` must be whole numbers where `whole` is true"
            raise ValueError(msg)
        return self


class Search(Value):
    """How the searches of all candidates are spread."""

    parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """How many trials of a candidate may be fitted at once, each by a task on a worker of its own.

    Optuna proposes in rounds of so many, or of a quarter of the budget if that is less.
    """


class Budget(Value):
    """When a search ends: after so many trials, or after so many minutes, whichever comes first."""

    trials: Trials = TRIALS
    """How many settings are tried at most."""
    minutes: Minutes | None = None
    """After how many minutes no further fold is begun and a fit that runs is cut off.

    Which settings fit into a time depends on the machine: the result says when time ended it.
    """


class EarlyStopping(Value):
    """How many rounds an estimator is given is found on the newest part of the training rows."""

    share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """The share of the training rows that is held back to see when to stop."""
    rounds: Annotated[int, Field(ge=1, le=1_000)] = 20
    """It stops after so many rounds that have not helped."""


STOPS_EARLY = {
    "HistGradientBoosting": "max_iter",
    "GradientBoosting": "n_estimators",
    "XGB": "n_estimators",
    "LGBM": "n_estimators",
}
"""The parameter that says how many rounds, by how an estimator's class begins."""


def rounds_of(estimator: str) -> str | None:
    """Return the parameter that early stopping finds; None where an estimator has none."""
    package, _, leaf = estimator.rpartition(".")
    if package and package.split(".")[0] not in LOCKED:
        return None
    return next((rounds for stem, rounds in STOPS_EARLY.items() if leaf.startswith(stem)), None)


def stopping_problems(
    place: tuple[str | int, ...], estimator: str, space: Mapping[str, Any], around: str
) -> list[Problem]:
    """Return what is wrong with the early stopping of a candidate at `place` of the spec.

    `around` is what lies around the estimator, such as `calibrate`; empty where nothing does.
    """
    if around:
        why = f"does not go with `{around}`; keep one of them"
        return [Problem((*place, "early_stopping"), why)]
    rounds = rounds_of(estimator)
    if rounds is None:
        known = ", ".join(f"{stem}*" for stem in STOPS_EARLY)
        why = f"{estimator} cannot stop on rows that are held back; only {known} can"
        return [Problem((*place, "early_stopping"), f"{why}; remove it")]
    if rounds in space:
        why = f"early stopping finds {rounds}; give its most in `params` instead"
        return [Problem((*place, "search", rounds), why)]
    return []


def search_problems(
    place: tuple[str | int, ...],
    space: Mapping[str, Any],
    method: Method | None,
    budget: Budget,
) -> list[Problem]:
    """Return what is wrong with a search whose fields stand at `place` of the spec."""
    if method is not None and not space:
        why = f"`method: {method}` needs a `search`; name the parameters to search, or remove it"
        return [Problem((*place, "method"), why)]
    if method == "grid":
        ranges = [name for name, values in space.items() if isinstance(values, Range)]
        if ranges:
            why = "is a range, which a grid cannot go through; list its values, or use `random`"
            return [Problem((*place, "search", ranges[0]), why)]
        size = grid_size(space)
        if size > MOST_OF_A_GRID:
            why = f"a grid of {size:,} settings is too large; use `random` or `optuna`"
            return [Problem((*place, "method"), why)]
        if size > budget.trials and budget.trials != TRIALS:
            why = f"a grid of {size:,} settings does not fit a budget of {budget.trials}"
            return [Problem((*place, "budget"), f"{why}; raise it, or use `random`")]
    return []


def spread_problems(spread: Search, spaces: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return what is wrong with a search that is spread, beside the spaces of all candidates."""
    if spread.parallel > 1 and not any(spaces):
        why = "no candidate has a `search`, so there is nothing to spread; remove it"
        return [Problem(("search", "parallel"), why)]
    return []


def round_size(count: int, parallel: int) -> int:
    """Return how many of `count` settings Optuna proposes at once.

    At most a quarter of them: a round learns from the rounds before it.
    """
    return min(parallel, max(count // LEAST_ROUNDS, 1))


def most_at_once(
    space: Mapping[str, Any], method: Method | None, budget: Budget, parallel: int
) -> int:
    """Return how many trials of a search can be fitted at once."""
    if not space:
        return 1
    if method == "optuna":
        return round_size(budget.trials, parallel)
    has_ranges = any(isinstance(values, Range) for values in space.values())
    settings = budget.trials if has_ranges else grid_size(space)
    return min(parallel, settings if method == "grid" else min(settings, budget.trials))


def grid_size(space: Mapping[str, Any]) -> int:
    """Return how many settings the lists of a space make."""
    size = 1
    for values in space.values():
        size *= len(values) if isinstance(values, list) else 1
    return size
