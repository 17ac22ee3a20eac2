"""Texts that are gone, renamed or cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.cause import Break
from pipelines.science.causes.cells import MISSING
from pipelines.science.causes.seasons import same_season
from pipelines.science.causes.shift import combine, measure_shift
from pipelines.science.causes.view import View, pick
from pipelines.science.causes.weights import weigh_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.view import Tail

    Array = NDArray[Any]

_LEAST = 0.02
"""A value that had a smaller share of the rows is not missed."""
_SURE = 1e-4
_UNLIKELY = 0.02
_LIKE = 0.35
"""How far the shares of a gone and a new value may lie apart, relative to the greater one."""
_NEARLY_ALL = 0.95
"""The share of the rows with new values that begin old ones, where texts are cut: the whole of a
rare one may never have been seen."""
_LESS = 0.3
"""By the columns beside it, rows like those of a gone value are rarer by this factor..."""
_STILL = 1e-3
"""...which have this probability at most in the past without that value."""
_LEAST_ROWS = 30
_NAMED = 5


def find_categories(view: View) -> Iterator[Break]:
    """Give what shows that a value no longer comes, or comes under another name."""
    for name in view.texts:
        before = Counter(v for v in view.reference.columns[name] if v is not None)
        for tail in view.tails:
            if len(tail.rows) >= _LEAST_ROWS:
                found = _look(view, name, before, tail)
                if found is not None:
                    yield found
                    break


def _look(view: View, name: str, before: Counter[str], tail: Tail) -> Break | None:
    values = view.window.columns[name][tail.rows]
    now = Counter(v for v in values if v is not None)
    if not now:
        return None  # a column of which nothing is left has a gap
    new = {v: c / len(values) for v, c in now.items() if v not in before}
    absent = {v: c / view.reference.rows for v, c in before.items() if v not in now}
    came = sum(new.values())
    if came >= _LEAST:
        # What came instead is a witness of its own: each value alone need not be sure to be missed.
        gone = [v for v in absent if _improbable(view, name, v, tail) < _UNLIKELY]
        lost = sum(absent[v] for v in gone)
        cut = sum(s for v, s in new.items() if any(old.startswith(v) for old in absent))
        is_cut = cut >= _NEARLY_ALL * came
        if gone and (is_cut or abs(came - lost) <= _LIKE * max(came, lost)):
            return _rename(name, gone, new, lost=lost, since=tail.since, is_cut=is_cut)
    missing = float(np.mean(view.codes[name][0][tail.rows] == MISSING))
    gaps = missing - float(np.mean(view.codes[name][1] == MISSING))
    sure = _UNLIKELY if gaps >= _LEAST else _SURE
    missed = [v for v in absent if absent[v] >= _LEAST and _improbable(view, name, v, tail) < sure]
    lost = sum(absent[v] for v in missed)
    instead = gaps >= _LEAST and abs(gaps - lost) <= _LIKE * max(gaps, lost)
    missed = missed if instead else [
        v for v in missed
        if _improbable(view, name, v, tail) < _SURE and _in_season(view, name, v)
    ]  # fmt: skip
    if not missed or (not instead and _is_of_other_rows(view, name, missed, tail)):
        return None
    lost = sum(absent[v] for v in missed)
    instead_words = f"; {missing:.1%} of the values are missing instead" if instead else ""
    words = (
        f"{name}: no row{tail.since} has {', '.join(missed[:_NAMED])}, which had {lost:.1%} of the"
        f" rows in training{instead_words}"
    )
    # Where the values are missing instead, the gap is but what this fault leaves behind.
    return Break("category_gone", [name], words, lost + max(gaps, 0.0))


def _is_of_other_rows(view: View, name: str, missed: list[str], tail: Tail) -> bool:
    """Tell whether values (texts) are gone because other rows come: these would hardly have them,
    and they differ from the past's other rows too.
    """
    window, past = (
        replace(s, columns={n: v for n, v in s.columns.items() if n != name})
        for s in (pick(view.window, tail.rows), view.reference)
    )
    if not set(window.columns) & set(past.columns):
        return False
    has = np.isin(view.reference.columns[name].astype(str), missed)
    if has.all() or float(weigh_rows(View(window, past), 0)[has].sum()) > _LESS * has.sum():
        return False
    rest = View(window, pick(past, ~has)).shifts.values()
    return combine(np.array([s.p_value for s in rest if s.p_value < 1])) < _STILL


def _rename(
    name: str, gone: list[str], new: dict[str, float], *, lost: float, since: str, is_cut: bool
) -> Break:
    fresh = sorted(new, key=lambda v: -new[v])
    words = (
        f"{name}: {', '.join(gone[:_NAMED])} ({lost:.1%} of the rows in training)"
        f" no longer come{since}, and {', '.join(fresh[:_NAMED])}"
        f" ({sum(new.values()):.1%} of the rows), never seen before, do"
    )
    return Break("cut" if is_cut else "category_renamed", [name], words, 2 * lost)


def _improbable(view: View, name: str, value: str, tail: Tail) -> float:
    """Return how probable it is that a value comes as rarely as it does."""
    past = (view.reference.columns[name] == value).astype(np.int64)
    own = (view.window.columns[name] == value).astype(np.int64)
    own[tail.rows] = 0
    return measure_shift(own, past, 2, blocks=view.blocks).p_value


def _in_season(view: View, name: str, value: str) -> bool:
    """Tell whether a value is to be expected in this season too."""
    seasonal = same_season(view)
    past = view.reference.columns[name] == value
    return seasonal is None or float(past[seasonal].mean()) >= _LEAST / 2
