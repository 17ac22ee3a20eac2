"""Which rows of the past are of the same season as a window's.

A regime is an hour of the day, a day of the week, a month, or whether a day is a holiday. Rows of
the past are drawn so that each regime has the share that it has in the window: then a summer is
held against summers, and what a season does is no change. Of no regime is anything known that the
past has not seen.

Source: Rosenbaum (1989), "Optimal Matching for Observational Studies", Journal of the American
Statistical Association 84 (matching by strata).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from pipelines.spec.drift import Regime

    Array = NDArray[Any]

_WORDS = {
    "hour": "hour of the day",
    "weekday": "day of the week",
    "month": "month",
    "holiday": "holidays",
}
_SIZES = {"hour": 24, "weekday": 7, "month": 12, "holiday": 2}
_LEAST_DAYS = 10
"""Of fewer days of the past than this no reference is made."""
_RARE = 50
"""Regimes so many times rarer than the commonest are not waited for."""


@dataclass(frozen=True)
class Matched:
    """The past's rows (m,) that are of the window's regimes, by their places, in order.

    `by` names the regimes; `words` says in a sentence what was matched, or why nothing was.
    `rows` is None where the whole past is the reference.
    """

    rows: Array | None
    by: tuple[Regime, ...]
    words: str


def match(
    window: Array | None,
    past: Array | None,
    season: Literal["auto", "none"] | Sequence[Regime],
    *,
    seed: int,
    holidays: Sequence[date] = (),
) -> Matched:
    """Return which rows of the past (n,) are compared with a window's (k,), by their event times.

    `holidays` are days of the window and of the past.
    `auto` takes all regimes of which the window shows some values and not others, and each of whose
    values has a past; a regime that the spec names and that has no past is left out, and the words
    say so. Where the window shows a regime as the whole past does, nothing is to be matched by it.
    """
    if season == "none" or not season:
        return Matched(None, (), "")
    times = [_known(side) for side in (window, past)]
    if not all(len(t) for t in times):
        words = "" if season == "auto" else "Nothing is matched by season: the data have no times."
        return Matched(None, (), words)
    free = np.array(sorted(set(holidays)), dtype="datetime64[D]")
    asked = _regimes_of(season, free)
    chosen: list[Regime] = []
    without: list[Regime] = []
    for regime in asked:
        mine, theirs = (set(_value(t, regime, free).tolist()) for t in times)
        if not mine <= theirs:
            without.append(regime)
        elif mine != theirs or season != "auto" or (regime == "holiday" and 1 in mine):
            chosen.append(regime)
    while chosen:
        rows = _draw((window, past), chosen, free, seed)
        drawn = past[rows]  # type: ignore[index]
        if len(np.unique(drawn.astype("datetime64[D]"))) >= _LEAST_DAYS:
            return Matched(rows, tuple(chosen), _tell(chosen, without, drawn))
        without.append(chosen.pop())
    return Matched(None, (), _tell([], without, times[1][:0]))


def _regimes_of(season: str | Sequence[Regime], free: Array) -> Sequence[Regime]:
    """Return the regimes that are tried, those first that are to be kept longest."""
    if season != "auto":
        return season  # type: ignore[return-value]
    # A holiday is more like another one than like the days of its month.
    return ("holiday", "month", "weekday", "hour") if len(free) else ("month", "weekday", "hour")


def _tell(chosen: Sequence[Regime], without: Sequence[Regime], past: Array) -> str:
    """Return in sentences what was matched to rows of the past with these times, and what not."""
    sentences = []
    if chosen:
        names = ", ".join(_WORDS[regime] for regime in chosen)
        sentences.append(f"The reference is matched by {names}: {len(past):,} rows of the past.")
    if "month" in chosen and _count_years(past) == 1:
        sentences.append(
            "The past has such a month but once: how much it differs from year to year is not"
            " known, and may be called a change."
        )
    if without:
        names = ", ".join(_WORDS[regime] for regime in without)
        sentences.append(f"The past has no, or too few, rows of the window's {names}.")
    return " ".join(sentences)


def _count_years(times: Array) -> int:
    """Return in how many years the past has each of its months of the year, at least."""
    months = np.unique(times.astype("datetime64[M]").astype(np.int64)) % _SIZES["month"]
    return int(np.unique(months, return_counts=True)[1].min())


def _draw(
    sides: tuple[Array | None, Array | None], regimes: Sequence[Regime], free: Array, seed: int
) -> Array:
    """Return the places of as many rows of the past as have the window's shares of the regimes.

    A regime of which the past has few rows holds down all others, unless it is rare in the window.
    """
    mine, theirs = (_strata(side, regimes, free) for side in sides)
    kinds, of_row = np.unique(np.concatenate([mine, theirs]), return_inverse=True)
    wanted = np.bincount(of_row[: len(mine)], minlength=len(kinds)) / max(len(mine), 1)
    there = np.bincount(of_row[len(mine) :], minlength=len(kinds))
    common = (wanted >= wanted.max() / _RARE) & (there > 0)
    if not common.any():
        return np.zeros(0, dtype=np.int64)
    rows = float((there[common] / wanted[common]).min())
    take = np.minimum(np.floor(rows * wanted), there).astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(theirs))
    kind = of_row[len(mine) :][order]
    by_kind = np.argsort(kind, kind="stable")
    starts = np.concatenate([[0], np.cumsum(there)[:-1]])
    place = np.empty(len(theirs), dtype=np.int64)
    place[by_kind] = np.arange(len(theirs)) - starts[kind[by_kind]]
    past = sides[1]
    known = np.flatnonzero(~np.isnat(past)) if past is not None else order[:0]
    return np.sort(known[order[place < take[kind]]])


def _known(times: Array | None) -> Array:
    return np.zeros(0, "datetime64[us]") if times is None else times[~np.isnat(times)]


def _strata(times: Array | None, regimes: Sequence[Regime], free: Array) -> Array:
    """Return a number for each row with a time: which of the regimes' values it has together."""
    known = _known(times)
    found = np.zeros(len(known), dtype=np.int64)
    for regime in regimes:
        found = found * _SIZES[regime] + _value(known, regime, free)
    return found


def _value(times: Array, regime: Regime, free: Array) -> Array:
    """Return the hour 0..23, the day of the week 0..6, the month 0..11, or whether it is on one of
    the holidays (h,) of each time (n,).
    """
    if regime == "holiday":
        return np.isin(times.astype("datetime64[D]"), free).astype(np.int64)
    if regime == "hour":
        return np.asarray(times.astype("datetime64[h]").astype(np.int64) % 24)
    if regime == "weekday":
        return np.asarray(times.astype("datetime64[D]").astype(np.int64) % 7)
    return np.asarray(times.astype("datetime64[M]").astype(np.int64) % 12)
