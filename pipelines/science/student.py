"""Intervals of pieces of evidence that are few, or alike, by Student's t.

A bootstrap of a dozen pieces draws from a dozen values, and is too bold; one of pieces that are
like their neighbours does not know it. The jackknife's error of the metric, left out piece by
piece, is for both: plain for pieces that are independent, of their slow part where they are not
(see `dependence`). A metric that cannot leave its bounds is taken to a scale without them first
(logit, logarithm).

Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 11 (the jackknife's
standard error, equation 11.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.dependence import slow_variance, without_rise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Scale:
    """A scale without bounds, and the way back."""

    to: Callable[[Array], Array]
    back: Callable[[float], float]


PLAIN = Scale(np.asarray, float)


def scale_between(low: float, high: float) -> Scale:
    """Return the scale of a metric that lies between these bounds, of which one may be infinite."""
    from scipy.special import expit, logit

    if isfinite(low) and isfinite(high):
        room = high - low
        return Scale(
            lambda x: np.asarray(logit((x - low) / room)),
            lambda x: low + room * float(expit(x)),
        )
    if isfinite(low):
        return Scale(lambda x: np.asarray(np.log(x - low)), lambda x: low + float(np.exp(x)))
    if isfinite(high):
        return Scale(lambda x: -np.log(high - x), lambda x: high - float(np.exp(-x)))
    return PLAIN


@dataclass(frozen=True)
class Student:
    """A number that is the better the greater it is, with its standard error and the error's
    degrees of freedom, on a scale without bounds; NaN where they cannot be had.
    """

    centre: float
    error: float
    freedom: int
    scale: Scale = PLAIN

    def bad_end(self, confidence: float) -> float:
        """Return the end below which the truth lies with at most 1 - confidence; NaN without."""
        return self._end(1 - confidence)

    def good_end(self, confidence: float) -> float:
        """Return the end above which the truth lies with at most 1 - confidence; NaN without."""
        return self._end(confidence)

    @property
    def p_better(self) -> float:
        """How sure it is that the number is above 0; 0 where it cannot be told."""
        from scipy.special import stdtr

        if not self.error > 0:
            return float(self.centre > 0 and self.error == 0)
        return float(stdtr(self.freedom, self.centre / self.error))

    def _end(self, level: float) -> float:
        from scipy.special import stdtrit

        if not isfinite(self.error):
            return float("nan")
        return self.scale.back(self.centre + float(stdtrit(self.freedom, level)) * self.error)


def by_student(
    whole: float,
    without: Array,
    scale: Scale = PLAIN,
    *,
    alike: bool = False,
    wider: float = 1.0,
    rises: bool = False,
) -> Student:
    """Return what pieces say of a number: of all rows, and of those without each piece (count,).

    `alike` pieces are in the order of time. `wider` is by how much likeness of neighbours that
    cannot be told from chance widens the interval. Where it `rises` in the order of time, that is
    no doubt about it (see `dependence.without_rise`).
    """
    count = len(without)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = scale.to(without)
        centre = float(scale.to(np.asarray(whole)))
    if count < 2 or not np.isfinite(found).all() or not isfinite(centre):  # noqa: PLR2004
        return Student(centre, float("nan"), max(count - 1, 1), scale)
    influences = (count - 1) * (found.mean() - found)
    level = without_rise(influences) if rises else influences
    freedom = count - 1 - (level is not influences)
    if alike:
        variance, freedom = slow_variance(level, first=1 if level is influences else 2)
    else:
        variance = float(level @ level) / (count * max(freedom, 1))
    return Student(centre, wider * variance**0.5, freedom, scale)
