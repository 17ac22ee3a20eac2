"""By how much the share of rows that are decided for the positive class has changed.

Rows before and now are other rows, so no decision is counted as turned. But of the same rows at
least as many would have to be decided otherwise as the two shares differ by. As far as that
difference is no chance it is said: that share is the near end of an interval of 95 %, by days as
alike as they may be, and 0 where the interval holds 0. So where nothing has changed, decisions are
said to turn in one window of twenty at most. `benchmarks/decisions.py` measures what holds.

Days differ by the more the nearer their share is to a half, and a window of days that are much
alike may lie among those that hardly differ. So its days are taken to differ by as much as those of
the past at least, and by more where its share may be nearer to a half, as p (1 - p) does.
Few rows are all decided alike by chance, and their days then differ by nothing. So the interval is
never narrower, on either side, than that of independent rows (Newcombe, 1998, "Interval estimation
for the difference between independent proportions", Statistics in Medicine 17, method 10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.calibration import wilson
from pipelines.science.causes.blocks import block_rows
from pipelines.science.effects.alike_days import cut_days, reach_of_means
from pipelines.science.effects.effect import Expected
from pipelines.science.effects.measured import INTERVAL
from pipelines.verdicts.explanations import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.changes.facts import Sample
    from pipelines.science.effects.alike_days import Days

    Array = NDArray[Any]

LEAST_ROWS = 30
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Decisions:
    """Answers (n,) and (m,) of both sides as the samples' `predictions`, with `times` where days
    are known, and the `threshold` from which on they are decided for the positive class.

    The past's are of rows that nobody learnt from: a model answers those that it was fitted on more
    surely than others.
    """

    window: Sample
    past: Sample
    threshold: float


def measure_decisions(answered: Decisions) -> Expected | None:
    """Return how the share of positive decisions has changed, with its interval.

    None where a side has no answers, or such as are no numbers. Days count where both sides know
    them; `untold` says why it cannot be said how much is chance.
    """
    samples = (answered.window, answered.past)
    sides = []
    for sample in samples:
        answers = sample.predictions
        if answers is None or answers.dtype == object or not len(answers):
            return None
        if not np.isfinite(answers).all():
            return None
        sides.append((answers >= answered.threshold).astype(np.float64))
    timed = all(_is_timed(sample) for sample in samples)
    now, before = (float(side.mean()) for side in sides)
    chance = reach_of_means(
        *(
            _days(side, sample.times if timed else None)
            for side, sample in zip(sides, samples, strict=True)
        ),
        confidence=_CONFIDENCE,
        least=lambda reach: max(_spread(sides[0], reach) / _spread(sides[1]), 1.0),
    )
    change = now - before
    below, above = _reach_of_rows(sides)
    low = max(change - max(chance.reach, below), -1.0)
    high = min(change + max(chance.reach, above), 1.0)
    return Expected(before, now, change, low, high, len(sides[0]), _few(sides) or chance.untold)


def least_turned(change: Expected | None) -> float | None:
    """Return the least share of decisions that turned, beyond chance; None where it is unknown."""
    if change is None or change.untold:
        return None
    return max(change.low, -change.high, 0.0)


def tell_decisions(change: Expected, tolerated: float) -> tuple[str, str]:
    """Return what follows from the change of the share, and that in words.

    It matters where the interval lies beyond `tolerated` as a share.
    """
    shares = (
        f"{change.now:.1%} of the rows are decided for the positive class, {change.before:.1%} of"
        " those before"
    )
    if change.untold:
        return "cannot_be_said", f"{shares}: {UNKNOWN}: {change.untold}"
    least = least_turned(change)
    turned = f"at least {least:.1%} of the decisions turn" if least else "that may be chance"
    words = (
        f"{shares}: a change from {change.low:+.1%} to {change.high:+.1%} ({INTERVAL}), where"
        f" {tolerated:.0%} is tolerated: {turned}"
    )
    if change.low > tolerated or change.high < -tolerated:
        return "matters", words
    within = max(abs(change.low), abs(change.high)) <= tolerated
    return ("nothing_follows" if within else "cannot_be_said"), words


def _is_timed(sample: Sample) -> bool:
    return sample.times is not None and not np.isnat(sample.times).any()


def _days(decided: Array, times: Array | None) -> Days:
    blocks = block_rows(times, len(decided))
    known = np.ones(len(decided), dtype=bool)
    return cut_days(decided, known, blocks, timed=times is not None)


def _spread(decided: Array, reach: float = 0.0) -> float:
    """Return the variance of one decision, the greatest within reach of the share. Both kinds are
    counted once more than seen.
    """
    share = (float(decided.sum()) + 1) / (len(decided) + 2)
    share = min(max(0.5, share - reach), share + reach)
    return share * (1 - share)


def _few(sides: list[Array]) -> str:
    rows, before = (len(side) for side in sides)
    if min(rows, before) >= LEAST_ROWS:
        return ""
    return f"{rows:,} answers now, {before:,} before, and {LEAST_ROWS} are needed"


def _reach_of_rows(sides: list[Array]) -> tuple[float, float]:
    """Return how far the difference of shares may lie below and above by chance if rows are
    independent, at 95 %.
    """
    beyond = []
    for side in sides:
        low, high = wilson(int(side.sum()), len(side))
        beyond.append((float(side.mean()) - low, high - float(side.mean())))
    (now_below, now_above), (past_below, past_above) = beyond
    return math.hypot(now_below, past_above), math.hypot(now_above, past_below)
