"""How the smallest change that would pass is written: never as less than it is."""

from __future__ import annotations

from decimal import ROUND_UP, Context
from math import isfinite

_ROUNDING = 1e-12
"""What is short by less, relative to itself, is short by rounding."""


def write_enough(value: float) -> str:
    """Return a number that is not below 0 with three digits, and as no smaller one."""
    text = f"{value:.3g}"
    if not isfinite(value) or float(text) >= value * (1 - _ROUNDING):
        return text
    up = Context(prec=3, rounding=ROUND_UP).create_decimal_from_float(value)
    return f"{float(up):.3g}"
