"""The shape of a day: when, and by whom, its bicycles are rented."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis

PARTS = {
    "night": range(6),
    "morning": range(7, 10),
    "midday": range(11, 16),
    "evening": range(17, 20),
}
"""The hours of each part of a day; the hours between are of none."""


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per day: the share of its rentals in each part, and of casual riders.

    How many there are in all is left out: days are told apart by their shape, not by the season.
    """
    days = tables["events"]
    days = days.mutate(rentals=_sum(days, range(24)))
    days = days.filter(days.rentals > 0)
    shares = {part: _sum(days, hours) / days.rentals for part, hours in PARTS.items()}
    return days.select("day", **shares, casual=days.casual / days.rentals)


def _sum(days: ibis.Table, hours: range) -> ibis.Value:
    return reduce(add, (days[f"h{hour:02d}"] for hour in hours))
