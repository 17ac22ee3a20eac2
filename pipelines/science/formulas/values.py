"""The metrics of predicted values.

Definitions are scikit-learn's; `wape` is sum|y - p| / sum|y| (Kolassa & Schütz 2007, "Advantages of
the MAD/Mean ratio over the MAPE", Foresight 6); `smape` is that of Makridakis (1993),
"Accuracy measures: theoretical and practical concerns", International Journal of Forecasting 9.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.kinds import OfSums, mean, positive_part
from pipelines.science.formulas.quantiles import OfMedian

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula

    Array = NDArray[Any]

_GAMMA = 2.0


def error(y: Array, p: Array) -> Array:
    """Return true less predicted (n,)."""
    return np.asarray(y, dtype=np.float64) - np.asarray(p, dtype=np.float64)


def _distance(y: Array, p: Array) -> Array:
    return np.abs(error(y, p))


def _root_mean(total: Array, rows: Array) -> Array:
    return np.sqrt(total / rows)


def _spread(y: Array, p: Array) -> tuple[Array, Array, Array]:
    """Return squared errors, and how y lies about its mean: sums of squares far from zero would
    cancel badly.
    """
    deviation = y - np.mean(y)
    return error(y, p) ** 2, deviation, deviation**2


def _explained_share(squares: Array, deviation: Array, spread: Array, rows: Array) -> Array:
    around = spread - deviation**2 / rows
    return 1 - squares / positive_part(around)


def _symmetric(y: Array, p: Array) -> tuple[Array]:
    size = np.abs(y) + np.abs(p)
    return (np.where(size > 0, 2 * _distance(y, p) / np.where(size > 0, size, 1.0), 0.0),)


def _tweedie(power: float, y: Array, p: Array) -> tuple[Array]:
    """Return the unit deviances, scikit-learn's `mean_tweedie_deviance` row by row.

    Source: Jørgensen (1997), "The Theory of Dispersion Models", chapter 4.
    """
    from scipy.special import xlogy

    y, p = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    if power == 0:
        return (error(y, p) ** 2,)
    if power == 1:
        return (2 * (xlogy(y, y / p) - y + p),)
    if power == _GAMMA:
        return (2 * (np.log(p / y) + y / p - 1),)
    # below 0 a true value may be negative, and counts as 0 in this term
    base = np.maximum(y, 0) if power < 0 else y
    first = np.power(base, 2 - power) / ((1 - power) * (2 - power))
    second = y * np.power(p, 1 - power) / (1 - power)
    return (2 * (first - second + np.power(p, 2 - power) / (2 - power)),)


def _pinball(quantile: float, y: Array, p: Array) -> tuple[Array]:
    """Return the loss of a quantile by row (Koenker & Bassett 1978, Econometrica 46)."""
    off = error(y, p)
    return (np.where(off >= 0, quantile * off, (quantile - 1) * off),)


def tweedie(power: float) -> Formula:
    """Return the mean Tweedie deviance of a power."""
    return OfSums(partial(_tweedie, power), mean)


def pinball(quantile: float) -> Formula:
    """Return the mean loss of a quantile, 0 to 1."""
    return OfSums(partial(_pinball, quantile), mean)


FORMULAS: dict[str, Formula] = {
    "mae": OfSums(lambda y, p: (_distance(y, p),), mean),
    "mse": OfSums(lambda y, p: (error(y, p) ** 2,), mean),
    "rmse": OfSums(lambda y, p: (error(y, p) ** 2,), _root_mean),
    "r2": OfSums(_spread, _explained_share),
    "wape": OfSums(
        lambda y, p: (_distance(y, p), np.abs(y)),
        lambda off, size, _: off / positive_part(size),
    ),
    "median_error": OfMedian(_distance),
    "mape": OfSums(lambda y, p: (_distance(y, p) / np.abs(y),), mean),
    "smape": OfSums(_symmetric, mean),
    "rmsle": OfSums(lambda y, p: (error(np.log1p(y), np.log1p(p)) ** 2,), _root_mean),
    "poisson_deviance": tweedie(1),
    "gamma_deviance": tweedie(_GAMMA),
}
FAMILIES: dict[str, Callable[[float], Formula]] = {"tweedie": tweedie, "pinball": pinball}
