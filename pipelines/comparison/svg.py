"""Drawings as SVG: no scripts, all texts escaped, colours by the page's classes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipelines.profiling.words import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.comparison.scales import Scale

LEFT, RIGHT, TOP, BOTTOM = 58, 14, 10, 40
"""Room for the axes, in units of the drawing."""
_LETTER = 6.6
"""How wide a letter of an axis is, about."""


def svg(width: float, height: float, parts: Iterable[str], says: str) -> str:
    """Return a drawing; `says` is what is read aloud in its place."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img"'
        f' aria-label="{escape(says)}">{"".join(parts)}</svg>'
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", tone: str = "say") -> str:
    """Return words at a place."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{tone}" {place}>{escape(words)}</text>'


def colour(share: float) -> str:
    """Return a colour from blue (0, worst) by green to orange (1, best), read on light and dark."""
    stops = ((62, 76, 160), (30, 136, 142), (88, 166, 92), (232, 158, 40))
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    i = min(int(place), len(stops) - 2)
    mixed = (round(a + (b - a) * (place - i)) for a, b in zip(stops[i], stops[i + 1], strict=True))
    return "#" + "".join(f"{c:02x}" for c in mixed)


class Plot:
    """A drawing with two axes; what is added later lies above."""

    def __init__(
        self,
        x: Scale,
        y: Scale,
        *,
        x_title: str,
        y_title: str = "",
        width: float = 380,
        height: float = 220,
    ) -> None:
        """Draw the axes."""
        self._x, self._y, self._width, self._height = x, y, width, height
        self._parts: list[str] = []
        self._draw_axes(x_title, y_title)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a value."""
        across = LEFT + self._x.share(x) * (self._width - LEFT - RIGHT)
        down = self._height - BOTTOM - self._y.share(y) * (self._height - TOP - BOTTOM)
        return across, down

    def line(self, xs: Sequence[float], ys: Sequence[float], tone: str = "line") -> None:
        """Draw a line through the values."""
        places = " ".join(
            f"{a:.1f},{b:.1f}" for a, b in (self.at(x, y) for x, y in zip(xs, ys, strict=True))
        )
        self._parts.append(f'<polyline class="{tone}" points="{places}"/>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float]) -> None:
        """Draw the band between two lines."""
        upper = [self.at(x, y) for x, y in zip(xs, high, strict=True)]
        lower = [self.at(x, y) for x, y in zip(xs, low, strict=True)]
        places = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*upper, *lower[::-1]])
        self._parts.append(f'<polygon class="band" points="{places}"/>')

    def bar(self, x: float, low: float, high: float) -> None:
        """Draw an interval as an upright line."""
        (a, b), (_, c) = self.at(x, low), self.at(x, high)
        self._parts.append(
            f'<line class="whisker" x1="{a:.1f}" x2="{a:.1f}" y1="{b:.1f}" y2="{c:.1f}"/>'
        )

    def block(self, low: float, high: float, value: float, says: str) -> None:
        """Draw an upright bar from the floor between two values of x."""
        (a, b), (c, floor) = self.at(low, value), self.at(high, self._y.low)
        self._parts.append(
            f'<rect class="bar" x="{a + 0.5:.1f}" y="{b:.1f}" width="{max(c - a - 1, 0.5):.1f}"'
            f' height="{floor - b:.1f}"><title>{escape(says)}</title></rect>'
        )

    def dot(
        self,
        x: float,
        y: float,
        says: str = "",
        *,
        fill: str = "",
        size: float = 3.2,
        tone: str = "dot",
    ) -> None:
        """Draw a point; `says` is shown when the mouse rests on it."""
        a, b = self.at(x, y)
        paint = f' style="fill:{fill}"' if fill else ""
        hint = f"<title>{escape(says)}</title>" if says else ""
        self._parts.append(
            f'<circle class="{tone}" cx="{a:.1f}" cy="{b:.1f}" r="{size:g}"{paint}>{hint}</circle>'
        )

    def mark(self, x: float, words: str) -> None:
        """Draw an upright dashed line with words at its upper end."""
        (a, b), (_, c) = self.at(x, self._y.low), self.at(x, self._y.high)
        anchor = "end" if self._x.share(x) > 0.6 else "start"  # noqa: PLR2004 -- room for words
        self._parts.append(
            f'<line class="guide" x1="{a:.1f}" x2="{a:.1f}" y1="{b:.1f}" y2="{c:.1f}"/>'
            + text(a + (-4 if anchor == "end" else 4), c + 11, words, anchor=anchor)
        )

    def render(self, says: str) -> str:
        """Return the drawing."""
        return svg(self._width, self._height, self._parts, says)

    def _draw_axes(self, x_title: str, y_title: str) -> None:
        floor, left = self._height - BOTTOM, LEFT
        right = self._width - RIGHT
        room = (right - left) / max(1, len(self._x.ticks()))
        for value, words in self._x.ticks():
            a, _ = self.at(value, self._y.low)
            self._parts.append(
                f'<line class="grid" x1="{a:.1f}" x2="{a:.1f}" y1="{TOP}" y2="{floor}"/>'
                + text(a, floor + 14, short(words, max(3, int(room / _LETTER))), anchor="middle")
            )
        for value, words in self._y.ticks():
            _, b = self.at(self._x.low, value)
            self._parts.append(
                f'<line class="grid" x1="{left}" x2="{right}" y1="{b:.1f}" y2="{b:.1f}"/>'
                + text(left - 6, b + 4, short(words, 8), anchor="end")
            )
        self._parts.append(
            f'<line class="axis" x1="{left}" x2="{right}" y1="{floor}" y2="{floor}"/>'
            + text(
                (left + right) / 2,
                self._height - 6,
                short(x_title, 50),
                anchor="middle",
                tone="title",
            )
        )
        if y_title:
            middle = (TOP + floor) / 2
            self._parts.append(
                f'<text class="title" transform="translate(11,{middle:.1f}) rotate(-90)"'
                f' text-anchor="middle">{escape(short(y_title, 32))}</text>'
            )
