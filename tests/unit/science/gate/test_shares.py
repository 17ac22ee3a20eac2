"""Shares as pieces of evidence tell them: only pieces with rows are evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.gate.shares import UNIT, share_by_pieces, weigh_shares
from pipelines.science.pieces import Pieces, pieces_of_times
from pipelines.science.student import PLAIN

if TYPE_CHECKING:
    from pipelines.science.student import Student

Array = np.ndarray[Any, Any]
PER_DAY, DAYS = 40, 10


def rows_of(days: int, seed: int) -> tuple[Array, Array]:
    """Return the day of each row and whether it is decided positive; each day errs by itself."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), PER_DAY)
    chance = np.clip(0.5 + rng.normal(0, 0.1, days), 0, 1)
    return day, rng.random(len(day)) < chance[day]


def pieces_of_days(day: Array) -> list[Pieces]:
    return [pieces_of_times(day.astype("datetime64[D]").astype("datetime64[us]"))]


def weigh(day: Array, positive: Array, *groups: Array) -> Student:
    return weigh_shares(
        pieces_of_days(day),
        lambda way: [share_by_pieces(positive, inside, way) for inside in groups],
        UNIT if len(groups) == 1 else PLAIN,
    )


def test_days_without_a_row_of_the_group_are_no_evidence() -> None:
    day, positive = rows_of(200, seed=3)
    inside = day < DAYS
    alone = weigh(day[inside], positive[inside], np.full(DAYS * PER_DAY, fill_value=True))
    among = weigh(day, positive, inside)
    assert among.freedom == alone.freedom <= DAYS - 1
    assert among.bad_end(0.95) == alone.bad_end(0.95)


def test_a_difference_is_as_sure_as_the_group_of_fewer_days() -> None:
    day, positive = rows_of(200, seed=4)
    found = weigh(day, positive, day < DAYS, day >= DAYS)
    assert found.freedom <= DAYS - 1


def test_groups_of_few_days_each_are_hardly_ever_proven_to_differ() -> None:
    cohorts, wrong, worlds = 8, 0, 40
    for seed in range(worlds):
        day, positive = rows_of(cohorts * DAYS, seed)
        shares = [positive[day // DAYS == c].mean() for c in range(cohorts)]
        high, low = int(np.argmax(shares)), int(np.argmin(shares))
        found = weigh(day, positive, day // DAYS == high, day // DAYS == low)
        pairs = cohorts * (cohorts - 1) / 2
        wrong += found.bad_end(1 - 0.05 / (2 * pairs)) > 0
    assert wrong <= 2  # of 40; one in five where all days counted as evidence
