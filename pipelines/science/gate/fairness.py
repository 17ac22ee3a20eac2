"""How differently a model decides for groups of people: three differences, each with an interval.

- selection rate: how often rows of a group are decided positive, whatever the truth
- equal opportunity: how often those of a group that are positive are decided so
- equalised odds: the former, and how often those that are not positive are decided so

Each difference is that of the two groups farthest apart. All pairs of groups are compared, so each
is held to a level that is right for all of them together (Bonferroni); how sure a difference is
follows from the pieces of evidence, by the jackknife and Student's t, as of slices.
`benchmarks/checks.py` measures how often a fair model is refused.

Sources: Hardt, Price & Srebro (2016), "Equality of Opportunity in Supervised Learning", NeurIPS
(opportunity and odds); Agarwal, Beygelzimer, Dudik, Langford & Wallach (2018), "A Reductions
Approach to Fair Classification", ICML, and Fairlearn's `demographic_parity_difference` and
`equalized_odds_difference` (the greatest difference between two groups).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines.science.gate.shares import UNIT, share_by_pieces, weigh_shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.science.pieces import Pieces
    from pipelines.spec.gate_checks import Aspect, Fairness

    Array = NDArray[Any]

Rate = Literal["selection rate", "true positive rate", "false positive rate"]
RATES: dict[Aspect, tuple[Rate, ...]] = {
    "selection_rate": ("selection rate",),
    "equal_opportunity": ("true positive rate",),
    "equalised_odds": ("true positive rate", "false positive rate"),
}


@dataclass(frozen=True)
class Decided:
    """What was decided of rows (n,) booleans, their truth (n,), and their groups by name: masks
    (n,); `pieces` are the ways to cut them into pieces of evidence.
    """

    positive: Array
    truth: Array
    groups: Mapping[str, Array]
    pieces: Sequence[Pieces]


@dataclass(frozen=True)
class GroupRate:
    """A rate of a group among `rows` rows, with the ends of its interval.

    `untold` says why it is not compared.
    """

    group: str
    rate: Rate
    rows: int
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    untold: str = ""


@dataclass(frozen=True)
class Gap:
    """By how much a rate of `high` is above that of `low`, at least and at most."""

    rate: Rate
    high: str
    low: str
    value: float
    least: float
    most: float


@dataclass(frozen=True)
class AspectFacts:
    """What is known of an aspect: each group's rates, and all differences of two groups."""

    rates: tuple[GroupRate, ...]
    gaps: tuple[Gap, ...]


def measure_aspect(decided: Decided, aspect: Aspect, rule: Fairness) -> AspectFacts:
    """Return what the rows show of an aspect."""
    rates: list[GroupRate] = []
    gaps: list[Gap] = []
    for rate in RATES[aspect]:
        among = _rows_of(rate, decided.truth)
        found = [_rate_of(decided, name, rate, among, rule) for name in decided.groups]
        told = [g.group for g in found if not g.untold]
        pairs = list(combinations(told, 2))
        level = 1 - (1 - rule.confidence) / max(2 * len(pairs) * len(RATES[aspect]), 1)
        rates += found
        gaps += [_gap_of(decided, pair, rate, among, level) for pair in pairs]
    return AspectFacts(tuple(rates), tuple(gaps))


def _rows_of(rate: Rate, truth: Array) -> Array:
    """Return the rows (n,) among which a rate is counted."""
    if rate == "selection rate":
        return np.full(len(truth), fill_value=True)
    return np.asarray(truth == (1 if rate == "true positive rate" else 0))


def _rate_of(decided: Decided, name: str, rate: Rate, among: Array, rule: Fairness) -> GroupRate:
    inside = decided.groups[name] & among
    rows = int(inside.sum())
    if rows < rule.min_rows:
        return GroupRate(name, rate, rows, untold=f"has {rows} rows only")
    value = float(decided.positive[inside].mean())
    touched = min(len(np.unique(way.of_row[inside])) for way in decided.pieces)
    if touched < rule.min_pieces:
        few = f"its rows are of {touched} {decided.pieces[0].unit} only"
        return GroupRate(name, rate, rows, value, untold=few)
    student = weigh_shares(
        decided.pieces, lambda way: [share_by_pieces(decided.positive, inside, way)], UNIT
    )
    level = (1 + rule.confidence) / 2
    return GroupRate(name, rate, rows, value, student.bad_end(level), student.good_end(level))


def _gap_of(decided: Decided, pair: tuple[str, str], rate: Rate, among: Array, level: float) -> Gap:
    masks = {name: decided.groups[name] & among for name in pair}
    means = {name: float(decided.positive[mask].mean()) for name, mask in masks.items()}
    high, low = sorted(pair, key=lambda name: -means[name])
    student = weigh_shares(
        decided.pieces,
        lambda way: [share_by_pieces(decided.positive, masks[name], way) for name in (high, low)],
    )
    return Gap(
        rate, high, low, means[high] - means[low], student.bad_end(level), student.good_end(level)
    )
