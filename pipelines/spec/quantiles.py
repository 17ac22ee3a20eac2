"""What a spec says of quantiles: their levels, and whether their coverage is promised."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pipelines.plain_errors import Impossible, Problem
from pipelines.refs import Value
from pipelines.spec.levels import ROUNDING

MOST_LEVELS = 25
"""Each level is a fit of its own."""


def _check_levels(value: Any) -> Any:
    """Return levels as they are. Raises Impossible naming each that is none, or out of order."""
    if not isinstance(value, list):
        return value
    if not 0 < len(value) <= MOST_LEVELS:
        why = f"needs 1 to {MOST_LEVELS} levels, such as [0.05, 0.5, 0.95]"
        raise Impossible([Problem((), why)])
    faults = []
    for nth, level in enumerate(value):
        is_number = isinstance(level, int | float) and not isinstance(level, bool)
        if not (is_number and 0 < level < 1):
            faults.append(Problem((nth,), f"must be a number between 0 and 1, found {level!r:.60}"))
        elif level in value[:nth]:
            faults.append(Problem((nth,), f"{level:g} stands twice; remove one"))
        elif nth and _is_below(level, value[nth - 1]):
            why = f"{level:g} stands behind {value[nth - 1]:g}; write them in increasing order"
            faults.append(Problem((nth,), why))
    if faults:
        raise Impossible(faults)
    return value


def _is_below(level: float, before: Any) -> bool:
    return isinstance(before, int | float) and level < before


class Conformal(Value):
    """The levels are corrected on rows that were not learnt from, so that they hold as promised.

    The rows are the latest of those to learn from; of a snapshot whole groups by chance.
    """

    share: Annotated[float, Field(ge=0.05, le=0.5)] = 0.2
    """The share of the rows that corrects, and is not learnt from."""
    tolerance: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """The gate refuses where the held-out rows prove a coverage that is lower by more than this."""


def _conformal_or_not(value: Any) -> Any:
    """Return the short forms, true and false, as the long ones."""
    return {} if value is True else None if value is False else value


class Quantiles(Value):
    """The quantiles that a model answers with: the values below which so many outcomes lie."""

    levels: Annotated[list[float], BeforeValidator(_check_levels)]
    """The levels in increasing order: at 0.9, nine of ten outcomes lie below the answer."""
    conformal: Annotated[
        Conformal | None,
        BeforeValidator(_conformal_or_not, json_schema_input_type=bool | Conformal | None),
    ] = None
    """Whether coverage is promised: `true`, or keys and values, below.

    Needed where an estimator learns no quantiles.
    """

    @property
    def coverage(self) -> float:
        """The share of outcomes between the outermost levels, or beyond one alone."""
        if len(self.levels) == 1:
            return max(self.levels[0], 1 - self.levels[0])
        return round(self.levels[-1] - self.levels[0], 12)

    @property
    def least_rows(self) -> int:
        """How many calibration rows (or groups) are needed: each level's tail must hold one."""
        tail = min(min(level, 1 - level) for level in self.levels)
        return math.ceil(1 / tail - ROUNDING) - 1


def _levels_or_block(value: Any) -> Any:
    """Return the short form, a list of levels, as the long one."""
    return {"levels": _check_levels(value)} if isinstance(value, list) else value


QuantileBlock = Annotated[
    Quantiles | None,
    BeforeValidator(_levels_or_block, json_schema_input_type=list[float] | Quantiles | None),
]
