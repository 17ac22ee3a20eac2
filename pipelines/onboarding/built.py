"""The built inputs: the columns that are left, what the event time says, earlier values."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from pipelines.onboarding.columns import MOST_INPUTS, Roles, is_identifier_name
from pipelines.onboarding.draft import Draft, Feature
from pipelines.onboarding.figures import varies


def built_name(raw: str, taken: set[str]) -> str:
    """Return a name that a spec can hold, and that is not taken."""
    signs: dict[str, str | int | None] = {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
    }
    plain = raw if is_identifier_name(raw) else raw.translate(str.maketrans(signs))
    name = re.sub(r"[^A-Za-z0-9_]+", "_", plain).strip("_")[:60] or "column"
    name = name if not name[0].isdigit() else f"c_{name}"
    lower, number, result = {t.lower() for t in taken}, 2, name
    while result.lower() in lower:
        result, number = f"{name[:56]}_{number}", number + 1
    return result


def built_features(frame: pd.DataFrame, roles: Roles, draft: Draft) -> list[Feature]:
    """Return the built inputs: the columns that are left, and what the event time says."""
    taken = {draft.target_built, *draft.key, "row_key"}
    if draft.times:
        taken.add(draft.times.column)
    features = []
    for raw in roles.inputs:
        name = built_name(raw, taken)
        taken.add(name)
        expression = "" if name == raw else f"_[{raw!r}]"
        if "decimal" in str(frame.attrs.get(raw, "")):
            expression = f"_[{raw!r}].cast('float64')"
        features.append(Feature(name, expression))
    if draft.times is not None:
        features += _time_features(frame, draft.times.column, taken)
    if draft.times is not None and draft.times.step_seconds:
        features += _lags(draft, taken)
    return features[:MOST_INPUTS]


def _time_features(frame: pd.DataFrame, column: str, taken: set[str]) -> list[Feature]:
    """Return the parts of the event time that vary, and that no column tells already."""
    moments = frame[column]
    parts = (
        ("hour_of_day", f"_.{column}.hour()", moments.dt.hour),
        ("day_of_week", f"_.{column}.day_of_week.index()", moments.dt.dayofweek),
        ("month_of_year", f"_.{column}.month()", moments.dt.month),
    )
    enough = {"hour_of_day": 3, "day_of_week": 14, "month_of_year": 365}
    days = (moments.max() - moments.min()).days
    return [
        Feature(built_name(name, taken), expression)
        for name, expression, values in parts
        if varies(values) and days >= enough[name] and not _is_told(frame, values)
    ]


def _is_told(frame: pd.DataFrame, part: pd.Series[Any]) -> bool:
    """Tell whether a column of whole numbers is the part already, counted from anywhere."""
    return any(
        pd.api.types.is_integer_dtype(frame[name]) and not varies(frame[name] - part)
        for name in frame.columns
    )


LAGS = ((1, "before"), (86_400, "day_before"), (7 * 86_400, "week_before"))


def _lags(draft: Draft, taken: set[str]) -> list[Feature]:
    """Return the earlier values of a plain series: `build` joins them by the number of the step."""
    step = draft.times.step_seconds if draft.times else 0
    lags = {}
    for seconds, word in LAGS:
        back = 1 if seconds == 1 else seconds // step if seconds % step == 0 else 0
        if back and back not in lags:
            lags[back] = built_name(f"{draft.target_built}_{word}", taken)
    return [Feature(name, f"lag {back}") for back, name in lags.items()]
