"""Values in another unit, with another sign, swapped between columns, or rounded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.blocks import block_rows
from pipelines.science.causes.cause import Break
from pipelines.science.causes.cells import distance, shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.cells import Cells
    from pipelines.science.causes.view import Tail, View

    Array = NDArray[Any]


@dataclass(frozen=True)
class Conversion:
    """Values became `factor` times themselves plus `offset`; `words` undo that."""

    factor: float
    offset: float
    words: str

    def do(self, values: Array) -> Array:
        """Return the values as they become."""
        return values * self.factor + self.offset

    def undo(self, values: Array) -> Array:
        """Return the values as they were."""
        return (values - self.offset) / self.factor


def _scale(factor: float, name: str) -> list[Conversion]:
    """Return a change of unit and its opposite."""
    return [
        Conversion(factor, 0.0, f"x → x / {factor:g} ({name})"),
        Conversion(1 / factor, 0.0, f"x → x * {factor:g} ({name}, the other way round)"),
    ]


_SCALES = {
    "tenfold": 10.0,
    "a share as per cent": 100.0,
    "a thousandth of the unit": 1_000.0,
    "a millionth of the unit": 1e6,
    "metres as inches": 1 / 0.0254,
    "inches as centimetres": 2.54,
    "inches as millimetres": 25.4,
    "metres as feet": 1 / 0.3048,
    "miles as kilometres": 1.609344,
    "knots as km/h": 1.852,
    "kilograms as pounds": 1 / 0.45359237,
    "m/s as km/h": 3.6,
    "hours as minutes": 60.0,
    "hours as seconds": 3_600.0,
    "days as hours": 24.0,
    "gallons as litres": 3.785411784,
    "inches of mercury as hectopascal": 33.8639,
}
UNITS = [
    *(each for name, factor in _SCALES.items() for each in _scale(factor, name)),
    Conversion(1.8, 32.0, "x → (x - 32) / 1.8 (Celsius as Fahrenheit)"),
    Conversion(1 / 1.8, -32 / 1.8, "x → x * 1.8 + 32 (Fahrenheit as Celsius)"),
    Conversion(1.0, 273.15, "x → x - 273.15 (Celsius as Kelvin)"),
    Conversion(1.0, -273.15, "x → x + 273.15 (Kelvin as Celsius)"),
    Conversion(1.8, -459.67, "x → (x + 459.67) / 1.8 (Kelvin as Fahrenheit)"),
]
SIGN = Conversion(-1.0, 0.0, "x → -x")

_FAR = 0.6
"""From this distance on (0..1) two columns are not of the same values by any drift of rows."""
_STRANGE = 0.3
"""A window of which this share are values that the past has not looks broken, not drifted."""
_HARDLY_STRANGE = 0.1
_EXACT = 0.9
"""The share of values that have no more decimals than the past's, where those have few."""
_LEFT = 0.5
"""An explanation leaves at most this part of the distance..."""
_FITS = 0.45
"""...and no more than this distance."""
_LEAST_MOVED = 0.12
"""A column that has moved by less is not looked at."""
_LEAST_ROWS = 30
_FURTHER = 1.15
"""A window lies elsewhere by so many times as much as any stretch of the past, or usually."""
_AS_FAR = 0.9
"""An explanation moves the past itself by this part of how far the window has moved, or more."""
_MOST_DECIMALS, _NEARLY_ALL = 3, 0.99
_REPEATED = 0.98
"""A column of which this share of values comes again in its other half holds no other values."""


@dataclass(frozen=True)
class Past:
    """What the reference says of one column: its cells, their shares, and the values it knows."""

    values: Array
    cells: Cells
    shares: Array
    known: Array
    """The distinct values, sorted, where the column repeats them; else empty: then any value
    between the least and the greatest is possible."""
    decimals: int | None
    """How many decimals nearly all of its values have at most; None where they have many."""

    def distance(self, values: Array) -> float:
        """Return how far the values (n,) are from the past's (0..1)."""
        return distance(shares(self.cells.place(values), self.cells.count), self.shares)

    def strange(self, values: Array) -> float:
        """Return the share of the values (n,) that the past could not have held."""
        values = values[~np.isnan(values)]
        if not len(values):
            return 0.0
        assert self.cells.edges is not None  # noqa: S101 -- only numbers come here
        out = (values < self.cells.edges[0]) | (values > self.cells.edges[-1])
        if len(self.known):
            near = np.clip(np.searchsorted(self.known, values), 1, len(self.known) - 1)
            away = np.minimum(
                np.abs(values - self.known[near - 1]), np.abs(values - self.known[near])
            )
            out |= away > 1e-6 * np.maximum(np.abs(values), 1e-9)
        return float(out.mean())

    def has_decimals_of(self, values: Array) -> bool:
        """Tell whether values (n,) have no more decimals than the past's; True where those have
        many.
        """
        if self.decimals is None:
            return True
        return _share_with(values, self.decimals) >= _EXACT


def know_past(view: View, name: str) -> Past:
    """Return what the reference says of a column of numbers."""
    values = view.reference.columns[name]
    cells = view.cells[name]
    known = values[~np.isnan(values)]
    half = len(known) // 2
    first, second = np.unique(known[::2]), known[1::2]
    enough = half > 1 and len(first) > 1
    repeats = enough and float(np.isin(second, first).mean()) > _REPEATED
    return Past(
        values,
        cells,
        shares(view.codes[name][1], cells.count),
        np.unique(known) if repeats else np.empty(0),
        next((d for d in range(_MOST_DECIMALS + 1) if _share_with(known, d) >= _NEARLY_ALL), None),
    )


def _share_with(values: Array, decimals: int) -> float:
    """Return the share of the values (n,) that have so many decimals at most."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0
    scaled = values * 10.0**decimals
    # A share of a float's own error, for a value that was converted and converted back.
    return float((np.abs(scaled - np.round(scaled)) <= 1e-6 * np.maximum(1, np.abs(scaled))).mean())


def find_conversions(view: View) -> Iterator[Break]:
    """Give what shows that columns came in other units, with another sign, or swapped."""
    pasts = {n: know_past(view, n) for n in view.numbers}
    for tail in view.tails:
        if len(tail.rows) < _LEAST_ROWS:
            continue
        moved = {}
        for name, past in pasts.items():
            found = _measure(past, view.window.columns[name][tail.rows])
            if found[1] >= _LEAST_MOVED:
                moved[name] = found
        broken = {n: m for n, m in moved.items() if m[1] > _FAR or m[2] > _STRANGE}
        yield from _swaps(view, pasts, moved, broken.keys(), tail)
        for name, (values, raw, strange) in broken.items():
            undone = _undone(pasts[name], values, raw, strange)
            is_possible = strange < _HARDLY_STRANGE
            if undone is not None and not (is_possible and _is_usual(view, tail, name, raw)):
                best, after = undone
                words = (
                    f"{name}: the values of this window{tail.since} fit those of training after"
                    f" {best.words}; {raw:.0%} of the rows lie elsewhere before it, {after:.0%}"
                    " after it"
                )
                yield Break("sign" if best is SIGN else "units", [name], words, raw - after)


def _undone(
    past: Past, values: Array, raw: float, strange: float
) -> tuple[Conversion, float] | None:
    """Return the change of unit that explains the values best, and the distance that it leaves."""
    best, least = None, np.inf
    for each in (SIGN, *UNITS):
        undone = each.undo(values)
        after = past.distance(undone)
        # Exact values are the better witness where the past repeats its own.
        left = after + past.strange(undone)
        if left < least and after < min(_FITS, _LEFT * raw):
            best, least = (each, after), left
    if best is None or least > _LEFT * (raw + strange):
        return None
    # Values that the past could have held may be those of other rows: then these fit its decimals,
    # and what the past is moved by lies as far away.
    if strange < _HARDLY_STRANGE and (
        not past.has_decimals_of(best[0].undo(values))
        or past.distance(best[0].do(past.values)) < _AS_FAR * raw
    ):
        return None
    return best


def _is_usual(view: View, tail: Tail, name: str, raw: float) -> bool:
    """Tell whether stretches of the past lie about as far from the rest of it as the window does.

    Where days are like the days before, stretches wander: then a window that lies elsewhere is
    nothing that only a broken pipe explains, unless the past could not have held its values.
    """
    if view.window.times is None:
        return False
    past, count = view.blocks[1], view.cells[name].count
    days = min(block_rows(view.window.times[tail.rows], len(tail.rows)).count, past.count // 2)
    tally = past.tally(view.codes[name][1], count)
    total = np.cumsum(np.vstack([np.zeros(count), tally]), axis=0)
    within = total[days:] - total[:-days] if days else total[:0]
    held = within.sum(axis=1) >= _LEAST_ROWS
    parts, rest = within[held], (total[-1] - within)[held]
    if not len(parts):
        return False
    apart = np.abs(
        parts / parts.sum(axis=1, keepdims=True) - rest / rest.sum(axis=1, keepdims=True)
    ).sum(axis=1)
    return raw < _FURTHER * float(apart.max()) / 2


def _measure(past: Past, values: Array) -> tuple[Array, float, float]:
    """Return values with their distance from the past's, and the share that is strange to it."""
    return values, past.distance(values), past.strange(values)


def _swaps(
    view: View,
    pasts: dict[str, Past],
    moved: dict[str, tuple[Array, float, float]],
    broken: object,
    tail: Tail,
) -> Iterator[Break]:
    for one, other in combinations(moved, 2):
        if one not in broken and other not in broken:  # type: ignore[operator]
            continue
        found = _swap((pasts[one], pasts[other]), moved[one], moved[other])
        are_possible = max(moved[one][2], moved[other][2]) < _HARDLY_STRANGE
        are_usual = (_is_usual(view, tail, name, moved[name][1]) for name in (one, other))
        if found is None or (are_possible and any(are_usual)):
            continue
        after, gain = found
        words = (
            f"{one} and {other}: each one's values of this window{tail.since} fit the other's"
            f" of training; {moved[one][1]:.0%} and {moved[other][1]:.0%} of the rows lie elsewhere"
            f" as they are, {after[0]:.0%} and {after[1]:.0%} once swapped"
        )
        # Two columns explained by one cause are worth more than one by a change of unit.
        yield Break("swapped", [one, other], words, gain)


def _swap(
    pasts: tuple[Past, Past],
    one: tuple[Array, float, float],
    other: tuple[Array, float, float],
) -> tuple[tuple[float, float], float] | None:
    """Return the distances that are left once two columns are swapped, and how much that explains;
    None where it does not explain them.
    """
    (a, raw_a, strange_a), (b, raw_b, strange_b) = one, other
    after = pasts[0].distance(b), pasts[1].distance(a)
    left = after[0] + pasts[0].strange(b), after[1] + pasts[1].strange(a)
    before = raw_a + strange_a, raw_b + strange_b
    if max(after) >= _FITS or any(x >= _LEFT * y for x, y in zip(left, before, strict=True)):
        return None
    if max(strange_a, strange_b) < _HARDLY_STRANGE:
        apart = pasts[0].distance(pasts[1].values), pasts[1].distance(pasts[0].values)
        if any(x < _AS_FAR * y for x, y in zip(apart, (raw_a, raw_b), strict=True)):
            return None
    return after, sum(before) - sum(left)
