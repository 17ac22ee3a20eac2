"""What a fair wait is, by which tests and the benchmark judge the line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def fair_wait(loads: Mapping[str, int], number: int, at_once: int, seconds: float) -> float:
    """Return how long an owner's retraining of this number (the first is 1) may wait in fairness.

    `loads` is how many retrainings each owner has asked for at the same moment, `seconds` what one
    takes. It is the time in which `at_once` of them at a time do so many of every owner, or all
    that the owner has: round by round, each owner one.
    """
    return sum(min(load, number) for load in loads.values()) * seconds / at_once


def longest_against_fair(
    begun: Iterable[tuple[str, float]], at_once: int, seconds: float
) -> tuple[float, float]:
    """Return the longest wait, and the largest part of its fair wait that any retraining waited.

    `begun` is, in the order in which they began, each one's owner and the seconds that it waited.
    """
    all_begun = list(begun)
    loads, numbers = Counter(owner for owner, _ in all_begun), Counter[str]()
    parts = []
    for owner, waited in all_begun:
        numbers[owner] += 1
        parts.append(waited / fair_wait(loads, numbers[owner], at_once, seconds))
    return max(waited for _, waited in all_begun), max(parts)
