"""Columns that give a target away: copies, what is filled after the event, and what alone says
nearly all that the others cannot.

No statistic can tell a leak from a very good input for certain. What is found here is what is worth
a question: was it known before the event?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.plurals import how_many
from pipelines.science.moving_sums import moves_with_later
from pipelines.science.single_columns import best_view, folds_of, ranks_of
from pipelines.science.tree_skill import codes_of, measure_skill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

COPY = 0.97
"""Skill from which a column alone is as good as the target itself."""
ALONE, OF_ALL, OF_OTHERS = 0.8, 0.9, 0.5
"""A column is worth a question when its skill is at least `ALONE` and `OF_ALL` of all columns', and
the others without it have at most `OF_OTHERS` of it."""
IDENTIFIER = 0.3
"""Skill from which an identifier says more than an identifier should."""
SURE = -46.0
"""The natural logarithm (about 1e-20) of the chance at which pure groups are no accident."""
PURE_SHARE = 0.05
SHIFTS = range(1, 9)
"""How many rows later a target may be that a column holds."""
LINEAR = 0.9999
MOST_TREES_COLUMNS = 30


@dataclass(frozen=True)
class Leak:
    """A column that may give the target away, how much it says alone (0 to 1), and why.

    One that is not sure may as well be a very good input: a person has to say.
    """

    column: str
    skill: float
    reason: str
    is_sure: bool = True


@dataclass(frozen=True)
class Suspect:
    """One column with its skill and the view that has it."""

    column: str
    skill: float
    view: str


def find_leaks(
    columns: Mapping[str, pd.Series[Any]],
    target: pd.Series[Any],
    *,
    classes: bool,
    event: pd.Series[Any] | None = None,
    identifiers: frozenset[str] = frozenset(),
) -> list[Leak]:
    """Return the columns that may give the target away, the surest first.

    `columns` are those beside target and event time; all have the rows of the target, none of which
    is missing. Times are datetimes. `event` is the time of each row.
    """
    outcomes, folds = ranks_of(target, classes=classes), folds_of(len(target))
    found: dict[str, Leak] = {}
    suspects = []
    for name, column in columns.items():
        skill, view = best_view(column, outcomes, folds, classes=classes, event=event)
        reason = _reason_alone(column, target, skill, view, classes=classes)
        if not reason and name in identifiers and skill >= IDENTIFIER:
            reason = (
                f"an identifier, yet {view} alone say {skill:.0%} of it: rows may be in its order"
            )
        if reason:
            found[name] = Leak(name, skill, reason)
        suspects.append(Suspect(name, skill, view))
    named = [s for s in suspects if s.column not in identifiers]
    rest = [s for s in named if s.column not in found]
    for leak in (
        *_late(columns, event, rest),
        *(_shift(columns, target, event, rest) if not classes and event is not None else []),
        *(_parts(columns, target, named) if not classes else []),
    ):
        found.setdefault(leak.column, leak)
    rest = [s for s in rest if s.column not in found]
    for leak in _alone_nearly_all(columns, outcomes, folds, rest, classes=classes):
        found.setdefault(leak.column, leak)
    return sorted(found.values(), key=lambda leak: -leak.skill)


def _reason_alone(
    column: pd.Series[Any], target: pd.Series[Any], skill: float, view: str, *, classes: bool
) -> str:
    """Return why a column gives the target away by itself; "" where it does not."""
    if skill >= COPY:
        return f"{view} alone say {skill:.0%} of it: a copy of the target, or made from it"
    if not classes:
        return ""
    filled = column.notna().to_numpy()
    for state, word in ((filled, "filled"), (~filled, "empty")):
        if _is_pure(target[state], target) and skill >= OF_OTHERS / 2:
            value = target[state].iloc[0]
            return f"where it is {word} the target is always {value}: it is written after the event"
    return _pure_values(column, target, skill)


def _is_pure(part: pd.Series[Any], whole: pd.Series[Any]) -> bool:
    """Tell whether so many rows of one class are no accident."""
    if (
        len(part) < PURE_SHARE * len(whole)
        or len(part) == len(whole)
        or bool((part != part.iloc[0]).any())
    ):
        return False
    return float(len(part) * np.log((whole == part.iloc[0]).mean())) < SURE


def _pure_values(column: pd.Series[Any], target: pd.Series[Any], skill: float) -> str:
    """Return which value always goes with one class, in so many rows that it is no accident."""
    if skill < OF_OTHERS or column.nunique() > len(column) / 20:
        return ""
    values = [v for v in column.dropna().unique() if _is_pure(target[column == v], target)]
    if not values:
        return ""
    value = values[0]
    outcome = target[column == value].iloc[0]
    return f"where it is {value!s:.40} the target is always {outcome}: made from the target"


def _late(
    columns: Mapping[str, pd.Series[Any]], event: pd.Series[Any] | None, suspects: list[Suspect]
) -> list[Leak]:
    """Return columns that are filled exactly where a later time is."""
    if event is None:
        return []
    skills = {s.column: s.skill for s in suspects}
    later = {
        name: column.isna()
        for name, column in columns.items()
        if pd.api.types.is_datetime64_any_dtype(column)
        and column.isna().any()
        and (column > event)[column.notna()].mean() > OF_ALL
    }
    return [
        Leak(name, skills[name], f"filled exactly where {time} is, which lies after the event")
        for time, empty in later.items()
        for name in skills
        if name != time and bool((columns[name].isna() == empty).all())
    ]


def _shift(
    columns: Mapping[str, pd.Series[Any]],
    target: pd.Series[Any],
    event: pd.Series[Any] | None,
    suspects: list[Suspect],
) -> list[Leak]:
    """Return columns that hold the target of a later row, or a sum over rows up to a later one.

    Of such a sum the change from row to row goes with a target that is still to come, more than
    that of any sum over earlier rows could.
    """
    leaks: list[Leak] = []
    if event is None:
        return leaks
    order = np.argsort(event.to_numpy(), kind="stable")
    y = target.to_numpy(dtype=float)[order]
    for suspect in suspects:
        column = columns[suspect.column]
        if not pd.api.types.is_numeric_dtype(column):
            continue
        x = column.to_numpy(dtype=float)[order]
        for k in SHIFTS:
            equal = np.isclose(x[:-k], y[k:], rtol=1e-6, equal_nan=False)
            if equal.mean() > OF_ALL:
                words = f"it is the target of {how_many(k, 'row')} later"
                leaks.append(Leak(suspect.column, suspect.skill, words))
                break
        else:
            if moves_with_later(x, y, SHIFTS):
                words = "its changes follow targets of the same or of later rows: a sum over them"
                leaks.append(Leak(suspect.column, suspect.skill, words))
    return leaks


def _parts(
    columns: Mapping[str, pd.Series[Any]], target: pd.Series[Any], suspects: list[Suspect]
) -> list[Leak]:
    """Return numbers that add up to the target (with factors), by least squares."""
    names = [
        s.column
        for s in sorted(suspects, key=lambda s: -s.skill)
        if pd.api.types.is_numeric_dtype(columns[s.column]) and s.skill > 0.05  # noqa: PLR2004
    ][:20]
    if not names:
        return []
    frame = pd.DataFrame({n: columns[n].astype(float) for n in names})
    known = frame.notna().all(axis=1)
    if known.sum() < 10 * len(names) + 50:
        return []
    x, y = frame[known].to_numpy(), target[known].to_numpy(dtype=float)
    x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    y = y - y.mean()
    if not y.any():
        return []
    weights, *_ = np.linalg.lstsq(x, y, rcond=None)
    if 1 - ((y - x @ weights) ** 2).sum() / (y**2).sum() < LINEAR:
        return []
    skills = {s.column: s.skill for s in suspects}
    parts = [n for n, w in zip(names, weights, strict=True) if abs(w) > 0.01 * y.std()]
    return [Leak(n, skills[n], f"{' and '.join(parts[:4])} add up to the target") for n in parts]


def _alone_nearly_all(
    columns: Mapping[str, pd.Series[Any]],
    outcomes: list[Array],
    folds: Array,
    suspects: list[Suspect],
    *,
    classes: bool,
) -> list[Leak]:
    """Return columns that alone say nearly as much as all, and without which little is left."""
    ranking = sorted(suspects, key=lambda s: -s.skill)[:MOST_TREES_COLUMNS]
    strong = [s for s in ranking if s.skill >= ALONE][:5]
    if not strong or len(ranking) < 2:  # noqa: PLR2004 -- one column is all there is
        return []
    inputs = {s.column: codes_of(columns[s.column]) for s in ranking}
    whole = measure_skill(inputs, outcomes, folds, classes=classes)
    leaks = []
    for suspect in strong:
        others = {n: c for n, c in inputs.items() if n != suspect.column}
        rest = measure_skill(others, outcomes, folds, classes=classes)
        if suspect.skill >= OF_ALL * whole and rest <= OF_OTHERS * suspect.skill:
            words = (
                f"alone it says {suspect.skill:.0%} of it, all columns together {whole:.0%}, those"
                f" without it {rest:.0%}"
            )
            leaks.append(Leak(suspect.column, suspect.skill, words, is_sure=False))
    return leaks
