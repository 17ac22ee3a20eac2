"""The faults of `watching_faults.toml`, put into a window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.causing.worlds import World

    Array = NDArray[Any]
    Rng = np.random.Generator
    How = dict[str, Any]


class NoPlaceError(Exception):
    """A data set has no column that a fault could strike."""


def _numbers(world: World) -> list[str]:
    """Return the numbers that vary: at least 20 values, none of them in half of the rows."""
    found = []
    for name, values in world.columns.items():
        if values.dtype == object or name in world.derived:
            continue
        known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        if len(known) >= 20 and counts.max() < 0.5 * len(values):
            found.append(name)
    return found


def _texts(world: World, least: float = 0.05) -> list[str]:
    """Return the texts of which at least two values have this share of the rows."""
    return [n for n, v in world.columns.items() if v.dtype == object and len(_rank(v, least)) >= 2]


def _rank(values: Array, least: float = 0.0) -> list[str]:
    names, counts = np.unique([v for v in values if v is not None], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [str(names[i]) for i in order if counts[i] >= least * len(values)]


def _struck(world: World, how: How, rng: Rng) -> Array:
    """Return the rows (n,) that a fault strikes: a share of them, or all from a moment on."""
    if "since" in how:
        start = world.times[np.argsort(world.times)[int(how["since"] * len(world.times))]]
        return world.times >= start
    return rng.random(len(world.times)) < how.get("share", 1.0)


def _with(world: World, **columns: Array) -> World:
    return replace(world, columns={**world.columns, **columns})


def _one(names: list[str], rng: Rng) -> str:
    if not names:
        raise NoPlaceError
    return names[rng.integers(len(names))]


def _change_numbers(change: Callable[[Array, How], Array]) -> Callable[[World, How, Rng], World]:
    def strike(world: World, how: How, rng: Rng) -> World:
        name = _one(_numbers(world), rng)
        values = world.columns[name]
        return _with(
            world, **{name: np.where(_struck(world, how, rng), change(values, how), values)}
        )

    return strike


def _units(values: Array, how: How) -> Array:
    return values * how["factor"] + how.get("offset", 0.0)


def _round_values(values: Array, how: How) -> Array:
    spread = float(np.nanstd(values))
    if "steps" in how:
        step = spread / how["steps"]
        return np.floor(values / step) * step
    step = 10.0 ** np.floor(np.log10(spread))
    return np.round(values / step) * step


def _default(values: Array, how: How) -> Array:
    value = how.get("value", float(np.nanmedian(values)))
    return np.full(len(values), value)


def _nulls(world: World, how: How, rng: Rng) -> World:
    name = _one([*_numbers(world), *_texts(world)], rng)
    return _empty(world, [name], _struck(world, how, rng))


def _source_gone(world: World, how: How, rng: Rng) -> World:
    names = [n for n in world.columns if n not in world.derived]
    first = int(rng.integers(len(names) - how["columns"] + 1))
    return _empty(world, names[first : first + how["columns"]], _struck(world, how, rng))


def _empty(world: World, names: list[str], rows: Array) -> World:
    changed = {}
    for name in names:
        values = world.columns[name].copy()
        values[rows] = None if values.dtype == object else np.nan
        changed[name] = values
    return _with(world, **changed)


def _frozen(world: World, how: How, rng: Rng) -> World:
    name, rows = _one(_numbers(world), rng), _struck(world, how, rng)
    values = world.columns[name].copy()
    inside = np.flatnonzero(rows & ~np.isnan(values))
    first = inside[np.argmin(world.times[inside])]
    values[rows] = values[first]
    return _with(world, **{name: values})


def _category_gone(world: World, how: How, rng: Rng) -> World:
    name = _one(_texts(world), rng)
    gone = world.columns[name] == _rank(world.columns[name])[how["rank"] - 1]
    return world.pick(~gone) if how["lost"] else _empty(world, [name], gone)


def _category_renamed(world: World, how: How, rng: Rng) -> World:
    name = _one(_texts(world), rng)
    values, rows = world.columns[name], _struck(world, how, rng)
    renamed = values.copy()
    ranked = _rank(values)
    old = ranked if how.get("all") else [ranked[how["rank"] - 1]]
    for value in old:
        new = value.swapcase() if how.get("all") else f"{value}_v2"
        new = new if new != value else f"0{value}"
        renamed[rows & (values == value)] = new
    return _with(world, **{name: renamed})


def _texts_cut(world: World, how: How, rng: Rng) -> World:
    long = [n for n in _texts(world) if any(len(v) > 3 for v in _rank(world.columns[n], 0.05))]
    name = _one(long, rng)
    cut = np.array(
        [None if v is None else v[: how["length"]] for v in world.columns[name]], dtype=object
    )
    return _with(world, **{name: cut})


def _duplicate(world: World, how: How, rng: Rng) -> World:
    again = np.flatnonzero(_struck(world, {"share": how["share"]}, rng))
    rows = np.concatenate([np.arange(len(world.y)), *[again] * (how["times"] - 1)])
    return world.pick(np.sort(rows))


def _clock(world: World, how: How, _rng: Rng) -> World:
    late = np.timedelta64(int(how["hours"] * 60), "m")
    times = (world.times + late).astype("datetime64[us]")
    derived = {n: make(times) for n, make in world.derived.items()}
    return replace(_with(world, **derived), times=times)


def _swap(world: World, how: How, rng: Rng) -> World:
    names = _numbers(world)
    if len(names) < 2:
        raise NoPlaceError
    one, other = (names[i] for i in rng.choice(len(names), 2, replace=False))
    rows, a, b = _struck(world, how, rng), world.columns[one], world.columns[other]
    return _with(world, **{one: np.where(rows, b, a), other: np.where(rows, a, b)})


def _drawn(world: World, weights: Array, rng: Rng) -> World:
    """Return as many rows, drawn by their weights; none is drawn twice where that can be."""
    keep = rng.random(len(weights)) < weights / weights.max()
    return world.pick(keep)


def _mix(world: World, how: How, rng: Rng) -> World:
    name = _one(_texts(world), rng)
    ranked = _rank(world.columns[name], 0.05)
    # The most frequent cannot grow threefold: the segments are rarer ones, where there are any.
    count = how.get("segments", 1)
    choice = ranked[1:] if len(ranked) > count else ranked[-1:]
    if how["times"] < 1:
        choice = ranked
    chosen = rng.choice(choice, min(count, len(choice)), replace=False)
    weights = np.where(np.isin(world.columns[name].astype(str), chosen), how["times"], 1.0)
    return _drawn(world, weights, rng)


def _new_category(world: World, how: How, rng: Rng) -> World:
    name = _one(_texts(world), rng)
    values = world.columns[name].copy()
    values[_struck(world, how, rng)] = "never seen before"
    return _with(world, **{name: values})


def _gradual(world: World, how: How, rng: Rng) -> World:
    values = world.columns[_one(_numbers(world), rng)]
    standard = np.nan_to_num((values - np.nanmean(values)) / np.nanstd(values))
    passed = np.argsort(np.argsort(world.times)) / len(values)
    strength = 1.0 if how.get("sudden") else passed
    weights = np.exp(np.log(how["odds"]) * np.clip(standard, -2, 2) * strength)
    limit = float(np.quantile(weights, 0.95))
    return _drawn(world, np.minimum(weights, limit), rng)


def _change_concept(world: World, how: How, rng: Rng) -> World:
    y = world.y.copy()
    if "moved" in how:
        moved = rng.random(len(y)) < 0.3 * how["moved"]
        y = np.where(moved, 1 - y, y) if world.classes else y + how["moved"] * y.std()
        return replace(world, y=y)
    values = np.nan_to_num(world.columns[_one(_numbers(world), rng)])
    rows = values >= np.quantile(values, 1 - how["share_of_inputs"])
    y[rows] = (1 - y if world.classes else y.min() + y.max() - y)[rows]
    return replace(world, y=y)


def _label_noise(world: World, how: How, rng: Rng) -> World:
    y, rows = world.y.copy(), np.flatnonzero(_struck(world, how, rng))
    y[rows] = y[rng.permutation(rows)]
    return replace(world, y=y)


def _nothing(world: World, _how: How, _rng: Rng) -> World:
    return world


FAULTS: dict[str, Callable[[World, How, Rng], World]] = {
    "units": _change_numbers(_units),
    "sign flipped": _change_numbers(lambda values, _: -values),
    "nulls burst": _nulls,
    "a source gone": _source_gone,
    "defaults filled in": _change_numbers(_default),
    "frozen values": _frozen,
    "a category gone": _category_gone,
    "a category renamed": _category_renamed,
    "texts cut": _texts_cut,
    "duplicated feed": _duplicate,
    "clock shifted": _clock,
    "time zone shifted": _clock,
    "columns swapped": _swap,
    "values rounded": _change_numbers(_round_values),
    "mix of segments": _mix,
    "a new category": _new_category,
    "gradual covariate shift": _gradual,
    "concept changed": _change_concept,
    "label noise": _label_noise,
    "season": _nothing,
    "nothing": _nothing,
}


def draw_days(days: Array, count: int, how: How, rng: Rng) -> Array:
    """Return the days of a window: at random, or of a season where the severity names one."""
    count = int(count * how.get("days", 1.0))
    if how.get("weekend"):
        days = days[(days.astype(np.int64) + 3) % 7 >= 5]
    elif "months" in how:
        first = (int(rng.integers(3)) + how.get("offset", 0)) % 12
        months = days.astype("datetime64[M]").astype(np.int64) % 12
        days = days[np.isin(months, (first + np.arange(how["months"])) % 12)]
        count = min(count, len(days) // 2)
    return np.sort(rng.choice(days, min(count, len(days)), replace=False))
