"""Resamples of blocks, and the ends of an interval that follow from them.

Plain percentiles lie to one side where a metric is skewed (a mean of squares), or better on rows
that are drawn twice (a ranking). So those of one model's metric are corrected for bias and
acceleration (BCa): the bias is read off the resamples, the acceleration off the metric without each
block. With few blocks they are too bold besides, so the level is taken from Student's t (the
expanded percentile).

Sources: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 13 (percentiles)
and 14.3 (BCa; the acceleration by the jackknife, equation 14.15); Hesterberg (2015), "What Teachers
Should Know About the Bootstrap", The American Statistician 69, section 5.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Resampling

    Array = NDArray[Any]

RESAMPLES = 1_000
_CELLS = 4_000_000
"""Numbers that the draws may hold in memory at once, for each array."""
_MOST_BIAS = 0.5
"""Beyond this the draws say more of the bootstrap's failure (a value at the end of what it can be)
than of a bias: the correction stops here."""


@dataclass(frozen=True)
class Draws:
    """A number that is the better the greater it is: of all rows (`whole`), of each resample of the
    blocks (b,), and of the rows without each block (blocks,).

    NaN or infinite where it is not defined.
    """

    whole: float
    resamples: Array
    without: Array | None
    """None where percentiles are not corrected."""
    blocks: int
    widening: float = 1.0
    """By how much likeness of neighbours widens the interval, from the whole outwards."""

    @property
    def p_better(self) -> float:
        """The share of resamples in which the number is above 0."""
        return float(np.mean(self.worst > 0))

    @property
    def worst(self) -> Array:
        """The resamples (b,), of which those that are not defined count as the worst."""
        return np.where(np.isfinite(self.resamples), self.resamples, -np.inf)

    @property
    def best(self) -> Array:
        """The resamples (b,), of which those that are not defined count as the best."""
        return np.where(np.isfinite(self.resamples), self.resamples, np.inf)

    def bad_end(self, confidence: float) -> float:
        """Return the end below which the truth lies with at most 1 - confidence."""
        level = self.correct(expand(confidence, self.blocks))
        return self._widen(float(np.quantile(self.worst, level, method="lower")))

    def good_end(self, confidence: float) -> float:
        """Return the end above which the truth lies with at most 1 - confidence."""
        level = self.correct(1 - expand(confidence, self.blocks))
        return self._widen(float(np.quantile(self.best, level, method="higher")))

    def correct(self, level: float) -> float:
        """Return which percentile of the resamples a level is (BCa)."""
        from scipy.special import ndtr, ndtri

        if self.without is None or not 0 < level < 1:
            return level
        bias = self._bias
        reach = bias + float(ndtri(level))
        # The acceleration is at most 1/6, so only a level beyond all use comes to the other branch.
        slope = 1 - acceleration(self.without) * reach
        return float(ndtr(bias + reach / slope)) if slope > 0 else level

    def _widen(self, end: float) -> float:
        if self.widening == 1 or not np.isfinite(self.whole):
            return end
        return self.whole + self.widening * (end - self.whole)

    @property
    def _bias(self) -> float:
        """The normal quantile of the share of resamples that are worse than the rows themselves."""
        from scipy.special import ndtri

        known = self.resamples[np.isfinite(self.resamples)]
        if not len(known) or not np.isfinite(self.whole):
            return 0.0
        worse = np.mean(known < self.whole) + np.mean(known == self.whole) / 2
        return float(np.clip(ndtri(worse), -_MOST_BIAS, _MOST_BIAS))


def draw(
    scorers: list[Resampling],
    better: Callable[[list[Array]], Array],
    count: int,
    seed: int,
    *,
    without: Array | None = None,
    widening: float = 1.0,
) -> Draws:
    """Return the draws of what `better` makes of the scorers' metrics (b,).

    The seed fixes which of `count` blocks are drawn. `without` (see `leave_out`) corrects the
    percentiles; without it they are plain.
    """
    whole = _of(scorers, better, [np.ones((1, count))])
    resamples = _of(scorers, better, _weights(scorers, count, seed))
    return Draws(float(whole[0]), resamples, without, count, widening)


def leave_out(
    scorers: list[Resampling], better: Callable[[list[Array]], Array], count: int
) -> Array:
    """Return what `better` makes of the scorers' metrics without each block (count,)."""
    return _of(scorers, better, _leaving_out(scorers, count))


def _of(
    scorers: list[Resampling],
    better: Callable[[list[Array]], Array],
    some: Iterable[Array],
) -> Array:
    return np.concatenate([better([s.of(weights) for s in scorers]) for weights in some])


def acceleration(without: Array) -> float:
    """Return how fast a number's standard error grows with itself, of its values (blocks,) without
    each block; 0 where one is not finite.
    """
    if not np.isfinite(without).all():
        return 0.0
    away = without.mean() - without
    spread = float(np.sum(away**2))
    return float(np.sum(away**3)) / (6 * spread**1.5) if spread > 0 else 0.0


def expand(confidence: float, blocks: int) -> float:
    """Return the percentile of the draws that is the lower bound, before it is corrected.

    Below 1 - confidence, the more so the fewer the blocks.
    """
    from scipy.special import ndtr, stdtrit

    if blocks <= 1:
        return 0.0
    return float(ndtr(np.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, 1 - confidence)))


def _weights(scorers: list[Resampling], count: int, seed: int) -> Iterator[Array]:
    """Yield how often each block is drawn, (b, count), until all resamples are drawn.

    As many at once as memory allows.
    """
    rng = np.random.default_rng(seed)
    step = _at_once(scorers, count)
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        draws = rng.integers(0, count, (size, count)) + np.arange(size)[:, None] * count
        yield (
            np.bincount(draws.ravel(), minlength=size * count)
            .reshape(size, count)
            .astype(np.float64)
        )


def _leaving_out(scorers: list[Resampling], count: int) -> Iterator[Array]:
    """Yield weights (b, count) that leave out each block in its turn."""
    step = _at_once(scorers, count)
    for start in range(0, count, step):
        weights = np.ones((min(step, count - start), count))
        weights[np.arange(len(weights)), start + np.arange(len(weights))] = 0.0
        yield weights


def _at_once(scorers: list[Resampling], count: int) -> int:
    """Return how many draws memory allows at once."""
    return max(1, _CELLS // max(count, *(scorer.width for scorer in scorers)))
