"""What the texts of columns are written like: decimal sign, groups of thousands, markers of missing
values, dates.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ISO = re.compile(
    r"^\d{4}-\d{2}-\d{2}"
    r"([T ]\d{2}:\d{2}(:\d{2}([.]\d+)?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?)?$"
)
ISO_WITH_ZONE = re.compile(r":[\d.]+ ?(Z|[+-]\d{2}(:?\d{2})?)$")
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d",
          "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y",
          "%d %B %Y", "%B %d, %Y", "%d-%b-%y", "%Y-%m")  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S",
          ", %H:%M")  # fmt: skip
FORMATS = tuple(d + t for d in _DATES for t in _TIMES)
_MISSING = {"-", "--", "---", "?", "??", ".", "n.a.", "N.A.", "k.A.", "#N/V", "#NV", "(null)",
            "\\N", "missing", "Missing", "unknown value", "-999", "-9999", "*"}  # fmt: skip
"""Texts that stand for no value where all others of a column are numbers or times."""
_SIMPLE = {"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "Null", "None",
           "none"}  # fmt: skip
_POINT = re.compile(r"^\s*[+-]?\d*\.\d+\s*$")
_COMMA = re.compile(r"^\s*[+-]?\d*,\d+\s*$")
_GROUPED_COMMA = re.compile(r"^\s*[+-]?\d{1,3}(\.\d{3})+,\d+\s*$")
_GROUPED_POINT = re.compile(r"^\s*[+-]?\d{1,3}(,\d{3})+\.\d+\s*$")
_WHOLE_GROUPS = {
    sign: re.compile(rf"^\s*[+-]?\d{{1,3}}({re.escape(sign)}\d{{3}})+\s*$")
    for sign in (".", ",", " ", "'")
}
_NUMBER = re.compile(r"^\s*[+-]?[\d.,' ]*\d[\d.,' ]*([eE][+-]?\d+)?\s*$")


def number_style(columns: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return `decimal` and `thousands` where they differ from the defaults.

    The columns of numbers decide together: a file has one style.
    """
    votes = {"comma": 0, "point": 0, "grouped_comma": 0, "grouped_point": 0}
    groups = dict.fromkeys(_WHOLE_GROUPS, 0)
    for values in columns.values():
        numbers = [v for v in values if v.strip() not in _SIMPLE | _MISSING]
        if not numbers or not all(_NUMBER.match(v) for v in numbers):
            continue
        grouped_comma = sum(bool(_GROUPED_COMMA.match(v)) for v in numbers)
        grouped_point = sum(bool(_GROUPED_POINT.match(v)) for v in numbers)
        votes["grouped_comma"] += grouped_comma
        votes["grouped_point"] += grouped_point
        if not grouped_point:
            votes["comma"] += _are_fractions(numbers, _COMMA, ",")
        if not grouped_comma:
            votes["point"] += _are_fractions(numbers, _POINT, ".")
        for sign, pattern in _WHOLE_GROUPS.items():
            groups[sign] += all(pattern.match(v) or v.strip().isdigit() for v in numbers) and any(
                pattern.match(v) for v in numbers
            )
    comma = votes["grouped_comma"] > votes["grouped_point"] or (
        votes["grouped_point"] == 0 and votes["comma"] > votes["point"]
    )
    style: dict[str, Any] = {"decimal": ","} if comma else {}
    own, as_fraction = (".", "point") if comma else (",", "comma")
    is_grouped = votes["grouped_comma" if comma else "grouped_point"] > 0
    if is_grouped or (groups[own] and not votes[as_fraction]):
        style["thousands"] = own
    else:
        style |= next(({"thousands": s} for s in (" ", "'") if groups[s]), {})
    return style


def _are_fractions(numbers: list[str], pattern: re.Pattern[str], sign: str) -> bool:
    """Tell whether the sign stands before fractions: not always before three digits."""
    with_sign = [v for v in numbers if pattern.match(v)]
    behind = [v.strip().rsplit(sign, 1)[1] for v in with_sign]
    return any(len(digits) != 3 for digits in behind)  # noqa: PLR2004


def missing_markers(columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return texts such as `-` or `?` that stand for no value among numbers and times."""
    found: set[str] = set()
    for values in columns.values():
        markers = {v.strip() for v in values if v.strip() in _MISSING}
        rest = [v for v in values if v.strip() not in _MISSING | _SIMPLE]
        markers -= {"-999", "-9999"} if not _sentinels(rest) else set()
        if markers and rest and (all(map(_NUMBER.match, rest)) or all(map(ISO.match, rest))):
            found |= markers
    return sorted(found)


def _sentinels(values: list[str]) -> bool:
    """Tell whether the numbers are all at least zero, so that -999 is none of them."""
    return all(_NUMBER.match(v) and not v.strip().startswith("-") for v in values)


def date_formats(values: Sequence[str]) -> list[str]:
    """Return the formats in which all texts can be read; ["ISO"] where they are ISO 8601.

    Two formats where days and months cannot be told apart.
    """
    import pandas as pd

    known = [v.strip() for v in values if v.strip() not in _SIMPLE | _MISSING]
    if not known or not all(any(c.isdigit() for c in v) for v in known[:100]):
        return []
    if all(ISO.match(v) for v in known):
        return ["ISO"]
    texts = pd.Series(sorted(set(known)))
    lengths = texts.str.len()
    if not 6 <= lengths.min() <= lengths.max() <= 30:  # noqa: PLR2004 -- as dates are
        return []
    few = texts.iloc[:: max(1, len(texts) // 20)]
    return [f for f in FORMATS if _reads(few, f) and _reads(texts, f)][:2]


def _reads(texts: Any, form: str) -> bool:
    import pandas as pd

    times = pd.to_datetime(texts, format=form, errors="coerce", exact=True)
    if times.isna().any():
        return False
    return bool(times.dt.year.between(1900, 2100).all())
