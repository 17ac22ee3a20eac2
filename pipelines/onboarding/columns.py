"""What each column is good for: an input, or left out, with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.onboarding.figures import kind_of
from pipelines.onboarding.personal import personal_data

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CLASSES = 1_000
"""Different texts up to which a column is an input."""
MOST_INPUTS = 500
SAME = 0.9995
"""Correlation from which two columns say the same."""
_ID_NAME = re.compile(r"(^|[^a-z])(id|uuid|guid|key|nr|no|number|code|index|instant)([^a-z]|$)")
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")


@dataclass
class Roles:
    """Which columns are inputs, and why the others are none, by name."""

    inputs: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    identifiers: set[str] = field(default_factory=set)
    personal: dict[str, str] = field(default_factory=dict)


def is_identifier_name(name: str) -> bool:
    """Tell whether a spec can name the column as it is."""
    return bool(_IDENTIFIER.match(name))


def looks_like_an_id(name: str) -> bool:
    """Tell whether a column is called as identifiers are."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return bool(_ID_NAME.search(words)) or words.endswith("id")


def roles_of(frame: pd.DataFrame, others: Sequence[str]) -> Roles:
    """Return the roles of the columns but for `others` (key, event time, target)."""
    roles = Roles()
    for name in frame.columns:
        if name in others:
            continue
        reason = _why_not(name, frame[name], roles)
        if reason:
            roles.left_out[name] = reason
        else:
            roles.inputs.append(name)
    for name, twin in near_duplicates(frame[roles.inputs]).items():
        roles.left_out[name] = f"says the same as {twin}"
        roles.inputs.remove(name)
    for name in roles.inputs[MOST_INPUTS:]:
        roles.left_out[name] = f"a model has at most {MOST_INPUTS} inputs"
    roles.inputs = roles.inputs[:MOST_INPUTS]
    return roles


def _why_not(name: str, column: pd.Series[Any], roles: Roles) -> str:
    """Return why a column is no input; "" where it is one."""
    kind = kind_of(column)
    if column.isna().all():
        return "empty in all rows"
    if kind == "other":
        return "a nested or special type, which no model takes"
    what = personal_data(name, column)
    if what:
        roles.personal[name] = what
        return f"personal data: {what}"
    if kind == "time":
        return "a time; build makes numbers of times where they help"
    return _why_idle(name, column, roles)


def _why_idle(name: str, column: pd.Series[Any], roles: Roles) -> str:
    """Return why nothing can be learnt from a column; "" where something may."""
    distinct = column.nunique()
    if distinct == 1 and column.notna().all():
        return f"the same in all rows: {str(column.iloc[0])[:40]}"
    if _is_identifier(name, column, distinct):
        roles.identifiers.add(name)
        return "an identifier: it names rows, and says nothing of new ones"
    if kind_of(column) == "text" and distinct > MOST_CLASSES:
        return f"{distinct:,} different texts, too many to learn from"
    return ""


def _is_identifier(name: str, column: pd.Series[Any], distinct: int) -> bool:
    rows = int(column.notna().sum())
    if kind_of(column) == "text":
        return distinct > 0.9 * rows or (looks_like_an_id(name) and distinct > 0.3 * rows)
    if not pd.api.types.is_integer_dtype(column):
        return False
    values = column.dropna()
    runs = distinct == rows and float(values.max()) - float(values.min()) < 1.5 * rows
    is_id = looks_like_an_id(name) and distinct > 0.5 * rows
    return rows > 20 and (runs or is_id)  # noqa: PLR2004


def near_duplicates(frame: pd.DataFrame) -> dict[str, str]:
    """Return the columns that say the same as an earlier one, and which that is.

    Numbers by their correlation, texts where each value of one always goes with one of the other.
    """
    found: dict[str, str] = {}
    numbers = [c for c in frame.columns if kind_of(frame[c]) == "number"]
    values = frame[numbers].astype(float)
    filled = values.fillna(values.mean()).to_numpy()
    spread = filled.std(axis=0)
    scaled = (filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1)
    correlations = np.abs(scaled.T @ scaled) / max(1, len(frame))
    for j, name in enumerate(numbers):
        for i in range(j):
            if numbers[i] not in found and correlations[i, j] > SAME and spread[i] > 0:
                found[name] = numbers[i]
                break
    texts = [c for c in frame.columns if kind_of(frame[c]) == "text"]
    codes = {c: pd.factorize(frame[c])[0] for c in texts}
    sizes = {c: len(np.unique(codes[c])) for c in texts}
    for j, name in enumerate(texts):
        for other in texts[:j]:
            if other in found or sizes[other] != sizes[name] or sizes[name] < 2:  # noqa: PLR2004
                continue
            pairs = len(np.unique(codes[other].astype(np.int64) * (sizes[name] + 1) + codes[name]))
            if pairs == sizes[name]:
                found[name] = other
                break
    return found
