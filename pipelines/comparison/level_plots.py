"""Drawings of answers at levels: do as many outcomes lie below as they say, and how wide are they?

Shapes: `y` is (n,), `p` (n, k), a column for each of k increasing levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.comparison.scales import Scale, scale_of
from pipelines.comparison.svg import Plot
from pipelines.levels import level_name, middle
from pipelines.science.calibration import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]

FAN = 120
"""Rows that a fan shows, the last ones."""


def reliability(y: Array, p: Array, levels: Sequence[float], says: str) -> str:
    """Return the share of outcomes at or below each level against the level (95 %)."""
    plot = Plot(Scale(0, 1), Scale(0, 1), x_title="level", y_title="outcomes below it")
    plot.line([0, 1], [0, 1], "guide")
    found = []
    for i, level in enumerate(levels):
        hits = float((y <= p[:, i]).sum())
        low, high = wilson(hits, len(y))
        plot.bar(level, low, high)
        found.append((level, hits / len(y), low, high))
    plot.line([f[0] for f in found], [f[1] for f in found], "line thin")
    for level, share, low, high in found:
        words = f"{level_name(level)}: {share:.3f} of {len(y):,} rows ({low:.3f} to {high:.3f})"
        plot.dot(level, share, words)
    return plot.render(says)


def fan(y: Array, p: Array, levels: Sequence[float], order: Array, says: str) -> str:
    """Return the outcomes and the levels of the last rows, in an order (n,) of positions."""
    last = order[-FAN:]
    if len(last) < 2:  # noqa: PLR2004 -- a line has two ends
        return ""
    at, places = p[last], [float(i) for i in range(len(last))]
    values = [float(v) for v in (*y[last], at.min(), at.max())]
    plot = Plot(
        Scale(0, float(len(last) - 1), names=(" ",)),
        scale_of(values),
        x_title=f"the last {len(last)} of {len(y):,} rows",
        y_title="outcome",
        width=560,
    )
    for i in range(len(levels) // 2):
        plot.band(places, at[:, i].tolist(), at[:, len(levels) - 1 - i].tolist())
    plot.line(places, middle(at, levels).tolist(), "line warm")
    for place, position in zip(places, last, strict=True):
        outside = not at[int(place), 0] <= y[position] <= at[int(place), -1]
        plot.dot(place, float(y[position]), size=2, tone="dot" if outside else "dot soft")
    return plot.render(says)
