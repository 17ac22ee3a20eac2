"""Real months: a champion is fitted, promises, and answers the months that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import OrdinalEncoder

from benchmarks.watching.real import load
from benchmarks.watching.worlds import take
from pipelines.science.before_labels.estimate import Answered, Judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.science.changes.facts import Sample

Array = np.ndarray[Any, Any]
HELD = 2
"""Months that are held out."""
AHEAD = 4
"""Months that a champion serves."""
CALENDAR = (
    "yr",
    "mnth",
    "season",
    "arrival_date_year",
    "arrival_date_month",
    "arrival_date_week_number",
)
"""Columns that no two months have alike: no held-out row is like one of a later month in them."""


@dataclass(frozen=True)
class Served:
    """What a champion's ancestor answered to the held-out rows, and the champion's later months."""

    held: Judged
    windows: list[tuple[Answered, Array]]


def serve(name: str, *, classify: bool, every: int, tiny: bool = False) -> Iterator[Served]:
    """Yield the champions of a data set, one begun every so many months; none without the data."""
    found = load_months(name)
    if found is None:
        return
    everything, months, whole = found
    for first in range(6 + HELD, len(whole) - AHEAD, every):
        yield _champion(everything, months, whole, first, classify=classify)
        if tiny:
            return


def load_months(name: str) -> tuple[Sample, Array, list[Any]] | None:
    """Return a data set without its dates, the month of each row, and the months that are whole;
    None where it is not at hand.
    """
    everything = load(name)
    if everything is None or everything.times is None:
        return None
    columns = {n: v for n, v in everything.columns.items() if n not in CALENDAR}
    everything = replace(everything, columns=columns)
    months = everything.times.astype("datetime64[M]")
    names = np.unique(months)
    # Months of few days are no months.
    whole = [m for m in names if len(np.unique(everything.times[months == m].astype("M8[D]"))) > 20]
    return everything, months, whole


def _champion(
    everything: Sample, months: Array, whole: list[Any], first: int, *, classify: bool
) -> Served:
    held = take(everything, np.isin(months, whole[first - HELD : first]))
    past = take(everything, np.isin(months, whole[: first - HELD]))
    both = take(everything, np.isin(months, whole[:first]))
    ancestor, champion = (fit(rows, classify=classify) for rows in (past, both))
    windows = []
    for month in whole[first : first + AHEAD]:
        rows = take(everything, months == month)
        answered = Answered(champion(rows), rows.times, rows.columns)
        windows.append((answered, truth_of(rows)))
    return Served(Judged(truth_of(held), ancestor(held), held.times, held.columns), windows)


def truth_of(rows: Sample) -> Array:
    """Return the outcomes (n,), which stand in the place of predictions."""
    return np.asarray(rows.predictions)


def fit(rows: Sample, *, classify: bool) -> Any:
    """Return a function from rows to answers, fitted on those of these rows that have a truth."""
    known = np.isfinite(truth_of(rows))
    coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    texts = [n for n, v in rows.columns.items() if v.dtype == object]

    def encode(sample: Sample) -> Array:
        frame = pd.DataFrame(dict(sample.columns))
        if texts:
            frame[texts] = coder.transform(frame[texts].astype(str))
        return frame.to_numpy(dtype=float)

    if texts:
        coder.fit(pd.DataFrame({n: rows.columns[n] for n in texts}).astype(str))
    kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    model = kind(max_iter=80, random_state=0).fit(encode(rows)[known], truth_of(rows)[known])
    if classify:
        return lambda sample: model.predict_proba(encode(sample))[:, 1]
    return lambda sample: model.predict(encode(sample))
