"""Plots of a profile as SVG: no scripts, all texts escaped, colours by the page's classes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipelines.profiling.bins import OTHERS
from pipelines.profiling.tables import stands_out
from pipelines.profiling.words import short, value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.profiling.columns import ColumnFigures, Kind
    from pipelines.profiling.tables import Shape

_WIDTH, _HEIGHT = 320, 124
_SMALL_WIDTH, _SMALL_HEIGHT = 210, 62
_MOST_LABELS = 9
"""Texts that a plot of shares names; the others are drawn together with `all others`."""


def histogram(shape: Shape, kind: Kind, says: str) -> str:
    """Return the newest batch as bars, with the reference as a line across."""
    if shape.labels:
        return _labelled_bars(shape, says)
    newest, reference = _shares(shape.newest), _shares(shape.reference)
    top = max([*newest, *reference, 1e-9])
    step, floor = _WIDTH / len(newest), _HEIGHT - 16
    parts = [
        f'<rect class="bar" x="{i * step + 0.5:.1f}" y="{floor - v / top * (floor - 4):.1f}"'
        f' width="{max(step - 1, 0.5):.1f}" height="{v / top * (floor - 4):.1f}"/>'
        for i, v in enumerate(newest)
    ]
    if any(reference):
        points = [
            f"{x:.1f},{floor - v / top * (floor - 4):.1f}"
            for i, v in enumerate(reference)
            for x in (i * step, (i + 1) * step)
        ]
        parts.append(f'<polyline class="ref" points="{" ".join(points)}"/>')
    parts.append(f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{floor}" y2="{floor}"/>')
    low, high = (value_text(end, kind) for end in _ends(shape.edges))
    parts.append(f'<text class="say" x="0" y="{_HEIGHT - 2}">{escape(low)}</text>')
    parts.append(
        f'<text class="say" x="{_WIDTH}" y="{_HEIGHT - 2}" text-anchor="end">{escape(high)}</text>'
    )
    return _svg(_WIDTH, _HEIGHT, parts, says)


def _ends(edges: Sequence[float]) -> tuple[float, float]:
    """Return what stands below a plot: its ends, or the first and the last of whole numbers."""
    if all(edge % 1 == 0.5 for edge in (edges[0], edges[-1])):  # noqa: PLR2004 -- see bin_edges
        return edges[0] + 0.5, edges[-1] - 0.5
    return edges[0], edges[-1]


def _labelled_bars(shape: Shape, says: str) -> str:
    """Return a bar for each text, the most frequent of the reference first."""
    newest, reference = _shares(shape.newest), _shares(shape.reference)
    rows = list(zip(shape.labels, newest, reference, strict=True))
    shown, rest = rows[: _MOST_LABELS - 1], rows[_MOST_LABELS - 1 :]
    if rest:
        shown.append((OTHERS, sum(r[1] for r in rest), sum(r[2] for r in rest)))
    shown = [r for r in shown if r[1] or r[2]]
    top = max([v for _, *vs in shown for v in vs] + [1e-9])
    left, height = 120, 17
    parts = []
    for i, (label, new, old) in enumerate(shown):
        y, reach = i * height, _WIDTH - left - 48
        parts.append(
            f'<text class="say" x="{left - 6}" y="{y + 12}" text-anchor="end">'
            f"{escape(short(label, 18))}</text>"
            f'<rect class="bar" x="{left}" y="{y + 3}" width="{new / top * reach:.1f}"'
            ' height="11"/>'
            f'<text class="say" x="{left + max(new, old) / top * reach + 6:.1f}" y="{y + 12}">'
            f"{100 * new:.3g} %</text>"
        )
        if any(reference):
            x = left + old / top * reach
            parts.append(f'<line class="ref" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 17}"/>')
    return _svg(_WIDTH, max(height * len(shown), height), parts, says)


def over_time(batches: Sequence[ColumnFigures | None], kind: Kind, says: str) -> str:
    """Return the median of each batch, within the band of the middle 80 %."""
    places = [
        (i, f.quantiles) for i, f in enumerate(batches) if f is not None and f.quantiles is not None
    ]
    if len(places) < 2:  # noqa: PLR2004 -- a line has two ends
        return ""
    values = [q for _, quantiles in places for q in quantiles[1:4]]
    low, reach = min(values), (max(values) - min(values)) or 1.0

    def y(value: float) -> float:
        return _SMALL_HEIGHT - 6 - (value - low) / reach * (_SMALL_HEIGHT - 12)

    step = (_SMALL_WIDTH - 8) / max(1, len(batches) - 1)
    upper = [f"{4 + i * step:.1f},{y(q[3]):.1f}" for i, q in places]
    lower = [f"{4 + i * step:.1f},{y(q[1]):.1f}" for i, q in reversed(places)]
    middle = [f"{4 + i * step:.1f},{y(q[2]):.1f}" for i, q in places]
    parts = [
        f'<polygon class="band" points="{" ".join([*upper, *lower])}"/>',
        f'<polyline class="line" points="{" ".join(middle)}"/>',
        *(
            f'<circle class="dot" cx="{4 + i * step:.1f}" cy="{y(q[2]):.1f}" r="2">'
            f"<title>{escape(value_text(q[2], kind))}</title></circle>"
            for i, q in places
        ),
    ]
    return _svg(_SMALL_WIDTH, _SMALL_HEIGHT, parts, says)


def small_bars(
    values: Sequence[float | None],
    says: str,
    *,
    limits: Sequence[float | None] = (),
    most: float = 0.2,
    width: int = _SMALL_WIDTH,
    height: int = _SMALL_HEIGHT,
) -> str:
    """Return a bar for each batch, with a mark where its limit is; a dash where there is none."""
    floor, step = height - 4, width / max(1, len(values))
    marks = [limit for limit in limits if limit is not None]
    top = max([*(v for v in values if v is not None), *marks, most])
    parts = []
    for i, value in enumerate(values):
        x = i * step + step * 0.15
        if value is None:
            parts.append(
                f'<line class="axis" x1="{x:.1f}" x2="{x + step * 0.7:.1f}" y1="{floor}"'
                f' y2="{floor}"/>'
            )
            continue
        limit = limits[i] if limits else None
        tone = "bar over" if limit is not None and stands_out(value, limit) else "bar"
        tall = max(value / top * (floor - 3), 0.75)
        parts.append(
            f'<rect class="{tone}" x="{x:.1f}" y="{floor - tall:.1f}" width="{step * 0.7:.1f}"'
            f' height="{tall:.1f}"/>'
        )
        if limit is not None:
            at = floor - limit / top * (floor - 3)
            parts.append(
                f'<line class="ref" x1="{x - step * 0.1:.1f}" x2="{x + step * 0.8:.1f}"'
                f' y1="{at:.1f}" y2="{at:.1f}"/>'
            )
    return _svg(width, height, parts, says)


def heat_map(names: Sequence[str], table: Sequence[Sequence[float | None]]) -> str:
    """Return the associations of all pairs as squares: the darker, the closer."""
    side, left, top = 30, 170, 130
    parts = []
    for i, name in enumerate(names):
        label = escape(short(name, 24))
        y, x = top + i * side + 19, left + i * side + 17
        parts.append(f'<text class="say" x="{left - 8}" y="{y}" text-anchor="end">{label}</text>')
        parts.append(
            f'<text class="say" transform="translate({x + 3},{top - 8}) rotate(-60)">'
            f"{escape(short(name, 18))}</text>"
        )
        for j, value in enumerate(table[i][: i + 1]):
            words = f"{name} and {names[j]}: " + ("-" if value is None else f"{value:.2f}")
            tone = "none" if value is None else "minus" if value < 0 else "plus"
            depth = 0.06 if value is None else 0.06 + 0.94 * abs(value)
            parts.append(
                f'<rect class="cell {tone}" x="{left + j * side}" y="{top + i * side}"'
                f' width="{side - 2}" height="{side - 2}" fill-opacity="{depth:.2f}">'
                f"<title>{escape(words)}</title></rect>"
            )
            if value is not None and i != j:
                ink = " light" if abs(value) > 0.55 else ""  # noqa: PLR2004 -- read on dark squares
                parts.append(
                    f'<text class="figure{ink}" x="{left + j * side + 14}"'
                    f' y="{top + i * side + 18}" text-anchor="middle">'
                    f"{_in_a_square(value)}</text>"
                )
    width, height = left + len(names) * side + 60, top + len(names) * side
    return _svg(width, height, parts, "Associations of the columns with each other")


def _in_a_square(value: float) -> str:
    return f"{value:.1f}".replace("0.", ".").replace("-.0", ".0")


def _shares(counts: Sequence[int]) -> list[float]:
    rows = sum(counts)
    return [c / rows if rows else 0.0 for c in counts]


def _svg(width: int, height: int, parts: Sequence[str], says: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(says)}">{"".join(parts)}</svg>'
    )
