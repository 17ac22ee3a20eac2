"""A drawing of what a check looked at part by part: each part's value, its interval, the limit."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.messages import CheckFindings, Finding

MOST = 40
"""Parts that are drawn; the table below names all."""
_LINE, _LEFT, _RIGHT, _WIDTH, _FOOT = 20, 300, 20, 760, 34
_LETTERS = 44
_REACH = 4.0
"""Intervals are cut off where they reach farther than so many times beyond values and limit."""

_FARTHEST = 1e300


def draw_intervals(found: CheckFindings) -> str:
    """Return the drawing as SVG; empty where no part has a value."""
    parts = [f for f in found.findings if f.value is not None][:MOST]
    if not parts:
        return ""
    low, high = _range(parts, found.limit)
    height = _LINE * len(parts) + _FOOT

    def at(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    drawn = [_line(at(0.0), height, "zero", "0")] if low <= 0 <= high else []
    if found.limit is not None:
        drawn.append(_line(at(found.limit), height, "limit", f"limit {found.limit:.3g}"))
    for place, part in enumerate(parts):
        drawn.append(_row(part, _LINE * place + _LINE / 2, at))
    says = escape(f"{found.check}: {found.value}")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img"'
        f' aria-label="{says}">{"".join(drawn)}</svg>'
    )


def _range(parts: list[Finding], limit: float | None) -> tuple[float, float]:
    values = [_within(f.value) for f in parts if f.value is not None] + [0.0]
    values += [] if limit is None else [_within(limit)]
    low, high = min(values), max(values)
    room = _REACH * ((high - low) or abs(high) or 1.0)
    ends = [end for f in parts for end in (f.low, f.high) if end is not None]
    low = min([low, *(max(end, low - room) for end in ends)])
    high = max([high, *(min(end, high + room) for end in ends)])
    margin = 0.04 * ((high - low) or 1.0)
    return low - margin, high + margin


def _within(value: float) -> float:
    """Return the value, or the farthest that can still be told from infinity after sums."""
    return min(max(value, -_FARTHEST), _FARTHEST)


def _row(part: Finding, y: float, at: Callable[[float], float]) -> str:
    value = part.value or 0.0
    tone = "none" if part.passed is None else "ok" if part.passed else "bad"
    name = part.name if len(part.name) <= _LETTERS else f"{part.name[: _LETTERS - 1]}…"
    whisker = ""
    if part.low is not None and part.high is not None:
        whisker = (
            f'<line class="whisker" x1="{at(part.low):.1f}" x2="{at(part.high):.1f}" y1="{y:.1f}"'
            f' y2="{y:.1f}"/>'
        )
    return (
        f'<text x="{_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>{whisker}'
        f'<circle class="{tone}" cx="{at(value):.1f}" cy="{y:.1f}" r="4">'
        f"<title>{escape(part.detail)}</title></circle>"
    )


def _line(x: float, height: float, tone: str, words: str) -> str:
    return (
        f'<line class="{tone}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - _FOOT + 4}"/>'
        f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{escape(words)}</text>'
    )
