"""Scores of strangeness: the threshold that keeps a promised rate, and whether it is kept.

A model of this task learns from rows without a truth. It promises one thing only, that so large a
share of rows like those that it was calibrated on is flagged; so that is what can be judged.

Sources: Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World", chapter 2, and
Bates et al. (2023), "Testing for outliers with conformal p-values", Annals of Statistics 51 (the
rank of a fresh score among exchangeable ones; the share flagged afterwards is beta-binomial);
Clopper & Pearson (1934), Biometrika 26 (the exact interval of a share).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.bootstrap import spread
from pipelines.science.own_metrics import RowMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.pieces import Span

    Array = NDArray[Any]

_ROUNDING = 1e-9
"""What float64 may take from a product such as 0.07 * 100."""


def rows_above(rows: int, rate: float) -> int:
    """Return how many of `rows` calibration scores may lie above the threshold, plus one.

    That is the whole part of rate * (rows + 1): of a fresh row each of the rows + 1 ranks is
    equally likely, and it is flagged at so many of them. 0 where the rows are too few.
    """
    return floor(rate * (rows + 1) + _ROUNDING)


def threshold_at_rate(scores: Array, rate: float) -> float | None:
    """Return the score (of m scores) above which a row is flagged, None where m is too small.

    Of n scores it is the one of rank ceil((1 - rate) * (n + 1)) from below. Whatever the scores'
    distribution, a fresh row that is exchangeable with these is flagged with a probability of
    floor(rate * (n + 1)) / (n + 1) where no scores are equal, and less where some are: never more
    than `rate`, and less by 1 / (n + 1) at most. Fewer than 1 / rate - 1 scores allow no threshold.
    """
    above = rows_above(len(scores), rate)
    if not above or not np.isfinite(scores).all():
        return None
    place = len(scores) - above
    return float(np.partition(np.asarray(scores, dtype=np.float64), place)[place])


def chance_of_share(flagged: int, rows: int, calibrated_on: int, rate: float) -> float:
    """Return how likely a share as far from the promise as this one is, or farther, if it is kept.

    Two-sided and exact for exchangeable rows: the number flagged of `rows` fresh ones is
    beta-binomial, since the threshold is itself one of `calibrated_on` random scores. 1 where
    nothing is known of these (`calibrated_on` 0) or no row was looked at.
    """
    from scipy.stats import betabinom

    above = rows_above(calibrated_on, rate)
    if not above or not rows:
        return 1.0
    law = betabinom(rows, above, calibrated_on + 1 - above)
    return float(min(1.0, 2 * min(law.cdf(flagged), law.sf(flagged - 1))))


def exact_interval(hits: int, rows: int, confidence: float) -> tuple[float, float]:
    """Return the two-sided exact interval of a share, rows taken as independent."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, rows - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, rows - hits)) if hits < rows else 1.0
    return low, high


@dataclass(frozen=True)
class FlagRate:
    """The share of rows that a model flags, beside the promised `rate`.

    `low` and `high` are the ends of a two-sided interval of the share with that `confidence`;
    `chance` is how likely it is to be so far from the promise if the promise is kept.
    """

    rate: float
    rows: int
    flagged: int
    low: float
    high: float
    chance: float
    confidence: float

    @property
    def share(self) -> float:
        """The share of the rows that are flagged."""
        return self.flagged / self.rows if self.rows else float("nan")

    @property
    def is_kept(self) -> bool:
        """Whether the promise is kept, as far as these rows can tell.

        It is broken where chance is too unlikely to have moved the share so far and the interval,
        which knows that rows of one day are alike, does not hold the rate either.
        """
        return self.chance >= 1 - self.confidence or self.low <= self.rate <= self.high

    @property
    def in_words(self) -> str:
        """What was seen, in a clause."""
        return (
            f"{self.flagged:,} of {self.rows:,} rows ({self.share:.2%}) are flagged, with"
            f" {100 * self.confidence:.4g}% confidence between {self.low:.2%} and {self.high:.2%},"
            f" where {self.rate:.2%} is promised"
        )


def flag_rate(
    flags: Array,
    rate: float,
    *,
    calibrated_on: int,
    confidence: float,
    seed: int,
    event_times: Array | None = None,
    groups: Array | None = None,
    span: Span = "day",
) -> FlagRate:
    """Return the share of the rows flagged, (n,) booleans, beside the promised rate.

    The interval is the wider one, at either end, of the exact one for independent rows and of the
    bootstrap by blocks (see `bootstrap`), which alone knows that rows of one day are alike and
    alone says too little where hardly any row is flagged.
    """
    rows, hits = len(flags), int(np.sum(flags))
    if not rows:
        return FlagRate(rate, 0, 0, 0.0, 1.0, 1.0, confidence)
    low, high = exact_interval(hits, rows, confidence)
    share = RowMetric(
        name="share",
        greater_is_better=True,
        per_row=lambda positions, p, _: p[positions],
        positions=np.arange(rows),
    )
    if event_times is None and groups is None:
        groups = np.arange(rows)
    drawn = spread(
        share,
        np.zeros(rows),
        np.asarray(flags, dtype=np.float64),
        event_times=event_times,
        groups=groups,
        span=span,
        confidence=(1 + confidence) / 2,
        seed=seed,
    )
    ends = [e for e in (drawn.bad_end, drawn.good_end) if np.isfinite(e)]
    return FlagRate(
        rate,
        rows,
        hits,
        max(0.0, min(low, *ends)) if ends else low,
        min(1.0, max(high, *ends)) if ends else high,
        chance_of_share(hits, rows, calibrated_on, rate),
        confidence,
    )


@dataclass(frozen=True)
class Agreement:
    """How far two models flag the same of `rows` rows.

    `ours` and `theirs` are how many each flags, `both` how many both do. `correlation` is that of
    the ranks of their scores (Spearman); NaN where one of them is constant.
    """

    rows: int
    ours: int
    theirs: int
    both: int
    correlation: float

    @property
    def overlap(self) -> float:
        """The rows that both flag, as a share of those that either does (Jaccard); 1 if none is."""
        either = self.ours + self.theirs - self.both
        return self.both / either if either else 1.0

    @property
    def in_words(self) -> str:
        """What was seen, in a clause."""
        ranks = (
            f"their ranks correlate by {self.correlation:.3f}"
            if np.isfinite(self.correlation)
            else "one of them scores all rows alike"
        )
        return (
            f"of {self.rows:,} rows the challenger flags {self.ours:,}, the champion"
            f" {self.theirs:,}, both {self.both:,} (an overlap of {self.overlap:.0%}); {ranks}"
        )


def agreement(ours: Array, theirs: Array, ours_at: float, theirs_at: float) -> Agreement:
    """Return how far two models agree, of their scores (n,) and their thresholds."""
    from scipy.stats import rankdata

    one, other = ours > ours_at, theirs > theirs_at
    ranks = [rankdata(scores) for scores in (ours, theirs)]
    varies = len(ours) > 1 and all(np.ptp(r) > 0 for r in ranks)
    return Agreement(
        rows=len(ours),
        ours=int(one.sum()),
        theirs=int(other.sum()),
        both=int((one & other).sum()),
        correlation=float(np.corrcoef(*ranks)[0, 1]) if varies else float("nan"),
    )
