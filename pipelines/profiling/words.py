"""Figures of a profile in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.profiling.columns import Kind

_YEARS = (-62_135_596_800, 253_402_300_799)
"""The seconds since 1970 that the years 1 to 9999 hold."""


def short(text: str, most: int) -> str:
    """Return a text cut to so many characters, with what cannot be printed escaped."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def value_text(value: float, kind: Kind) -> str:
    """Return a value of a column: a number to four digits, or a time (seconds since 1970)."""
    if kind == "time" and _YEARS[0] <= value <= _YEARS[1]:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M}"
    if value == int(value) and abs(value) < 1e6:  # noqa: PLR2004 -- up to here every digit is read
        return f"{int(value):,}"
    return f"{value:,.4g}"


def share_text(share: float) -> str:
    """Return a share in per cent; what is not nothing does not look like nothing."""
    per_cent = 100 * share
    if 0 < per_cent < 0.1:  # noqa: PLR2004 -- one digit behind the point
        return "< 0.1 %"
    return f"{per_cent:.1f} %" if per_cent not in {0, 100} else f"{per_cent:.0f} %"
