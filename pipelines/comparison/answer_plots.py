"""Drawings of a candidate's answers: curve, calibration, confusion, residuals, inputs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.comparison.scales import Scale, scale_of, tick_text
from pipelines.comparison.svg import Plot, colour, svg, text
from pipelines.profiling.words import short
from pipelines.science.calibration import calibration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.comparison.attribution import Attribution
    from pipelines.comparison.learning import LearningCurve
    from pipelines.comparison.permutation import Importance
    from pipelines.science.decision_threshold import Curve

    Array = np.ndarray[Any, Any]

POINTS = 400
_INPUTS = 12
_BINS = 40
_CLASSES = 12
_SWARM = 160
"""Points of an input that the summary of attributions draws."""


def learning(curve: LearningCurve, metric: str) -> str:
    """Return the score on the rows learnt from, and on the held-out ones, by number of rows."""
    points = [p for p in curve.points if np.isfinite(p.learnt) and np.isfinite(p.held)]
    if len(points) < 2:  # noqa: PLR2004 -- a line has two ends
        return ""
    rows = [float(p.rows) for p in points]
    y = scale_of([v for p in points for v in (p.learnt, p.held)], margin=0.1)
    plot = Plot(Scale(0, max(rows) * 1.04), y, x_title="rows learnt from", y_title=metric)
    plot.line(rows, [p.learnt for p in points], "line faint")
    plot.line(rows, [p.held for p in points])
    for p in points:
        plot.dot(p.rows, p.learnt, f"{p.rows:,} rows: {p.learnt:.4g} on them", tone="dot faint")
        plot.dot(p.rows, p.held, f"{p.rows:,} rows: {p.held:.4g} held out")
    return plot.render(f"{metric} by rows learnt from")


def calibration_plot(y: Array, p: Array, says: str) -> str:
    """Return the observed share against the probability, in tenths of the rows with intervals."""
    bins = calibration(y, p)
    if not bins:
        return ""
    ends = [v for b in bins for v in (b.predicted, b.low, b.high)]
    low, high = max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03)
    plot = Plot(Scale(low, high), Scale(low, high), x_title="predicted", y_title="observed")
    plot.line([low, high], [low, high], "guide")
    for b in bins:
        plot.bar(b.predicted, b.low, b.high)
    plot.line([b.predicted for b in bins], [b.observed for b in bins], "line thin")
    for b in bins:
        plot.dot(
            b.predicted,
            b.observed,
            f"{b.rows:,} rows: predicted {b.predicted:.3f}, observed {b.observed:.3f}"
            f" ({b.low:.3f} to {b.high:.3f})",
        )
    return plot.render(says)


def score_histogram(y: Array, p: Array, threshold: float, says: str) -> str:
    """Return how many rows have which score, with the threshold.

    The rows that are known to be anomalies (y is 1) stand as dots on the axis.
    """
    if not len(p):
        return ""
    edges = np.linspace(min(float(p.min()), threshold), max(float(p.max()), threshold), _BINS + 1)
    if edges[0] == edges[-1]:
        return ""
    counts = np.histogram(p, edges)[0]
    top = float(counts.max())
    reach = (edges[-1] - edges[0]) * 0.03
    plot = Plot(
        Scale(float(edges[0]) - reach, float(edges[-1]) + reach),
        Scale(0, top * 1.05),
        x_title="score",
        y_title="rows",
    )
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        plot.line([low, low, high, high], [0, float(count), float(count), 0], "line thin")
    plot.line([threshold, threshold], [0, top], "guide")
    for score in np.sort(p[y == 1])[-POINTS:]:
        plot.dot(float(score), 0, f"a known anomaly: {score:.4g}")
    return plot.render(says)


def confusion(table: Array, names: Sequence[str], says: str) -> str:
    """Return counts by truth (down) and prediction (across), each darker by its share of a row."""
    shown = list(names[:_CLASSES])
    side, left, top = 54 if len(shown) <= 6 else 40, 110, 46  # noqa: PLR2004
    parts = [text(left + side * len(shown) / 2, 14, "predicted", anchor="middle", tone="title")]
    for i, name in enumerate(shown):
        middle = left + i * side + side / 2
        parts.append(text(middle, top - 8, short(name, side // 7), anchor="middle"))
        parts.append(text(left - 8, top + i * side + side / 2 + 4, short(name, 15), anchor="end"))
        whole = max(float(table[i].sum()), 1.0)
        for j, other in enumerate(shown):
            share = float(table[i, j]) / whole
            words = f"{name}, predicted {other}: {int(table[i, j]):,} rows ({100 * share:.1f} %)"
            x, y = left + j * side, top + i * side
            tone = "cell plus" if i == j else "cell minus"
            ink = "figure light" if share > 0.55 else "figure"  # noqa: PLR2004 -- on dark squares
            parts.append(
                f'<rect class="{tone}" x="{x}" y="{y}" width="{side - 2}" height="{side - 2}"'
                f' fill-opacity="{0.06 + 0.94 * share:.2f}"><title>{escape(words)}</title></rect>'
                + text(
                    x + side / 2 - 1,
                    y + side / 2 + 4,
                    _count(table[i, j]),
                    anchor="middle",
                    tone=ink,
                )
            )
    return svg(left + side * len(shown) + 10, top + side * len(shown) + 6, parts, says)


def classes_left_out(names: Sequence[str]) -> str:
    """Return in words how many classes the confusion does not show; "" for none."""
    return f"; {len(names) - _CLASSES} more classes are not shown" if len(names) > _CLASSES else ""


def confusion_table(y: Array, label: Array, classes: int) -> Array:
    """Return counts (classes, classes) by truth and prediction; truths that are not known (-1) are
    left out.
    """
    table = np.zeros((classes, classes))
    known = y >= 0
    np.add.at(table, (y[known].astype(np.int64), label[known].astype(np.int64)), 1)
    return table


def residuals(y: Array, p: Array) -> str:
    """Return actual minus predicted against the prediction, with the median in tenths of it."""
    off, at = y - p, _spread_out(len(y))
    plot = Plot(
        scale_of(p[at].tolist()), _middle(off), x_title="predicted", y_title="actual - predicted"
    )
    plot.line([float(p[at].min()), float(p[at].max())], [0, 0], "guide")
    for i in at:
        plot.dot(float(p[i]), float(off[i]), size=2, tone="dot soft")
    places, middles, lows, highs = _tenths(p, off)
    plot.band(places, lows, highs)
    plot.line(places, middles, "line warm")
    return plot.render("residuals against predictions")


def residuals_over_time(times: Array, y: Array, p: Array) -> str:
    """Return actual minus predicted over time: median and middle half of 20 spans."""
    off = y - p
    seconds = times.astype("datetime64[s]").astype(np.float64)
    places, middles, lows, highs = _tenths(seconds, off, parts=20)
    if len(places) < 2:  # noqa: PLR2004 -- a line has two ends
        return ""
    first, last = str(times.min())[:10], str(times.max())[:10]
    x = Scale(float(seconds.min()), float(seconds.max()), names=(" ",))
    plot = Plot(x, scale_of([*lows, *highs, 0.0]), x_title=f"{first} to {last}", y_title="residual")
    plot.line([x.low, x.high], [0, 0], "guide")
    plot.band(places, lows, highs)
    plot.line(places, middles, "line warm")
    return plot.render("residuals over time")


def thresholds(curves: dict[str, Array], at: Array, chosen: float, says: str) -> str:
    """Return metrics (t,) by the threshold (t,) from which a row counts as positive."""
    y = scale_of([float(v) for c in curves.values() for v in c if np.isfinite(v)])
    plot = Plot(Scale(0, 1), y, x_title="threshold", width=420)
    for i, values in enumerate(curves.values()):
        known = np.isfinite(values)
        plot.line(at[known].tolist(), values[known].tolist(), f"line curve{i}")
    plot.mark(chosen, f"now {chosen:.3g}")
    return plot.render(says)


def metric_by_threshold(curve: Curve, chosen: float, title: str) -> str:
    """Return a metric by the threshold, marked where it is decided now and where it is best."""
    known = np.flatnonzero(np.isfinite(curve.scores))
    at = known[_spread_out(len(known))]
    values = curve.scores[at].tolist()
    plot = Plot(Scale(0, 1), scale_of(values), x_title="threshold", y_title=title, width=420)
    plot.line(curve.thresholds[at].tolist(), values)
    best = float(curve.scores[curve.best])
    plot.dot(curve.threshold, best, f"best here: {best:.4g} at {curve.threshold:.3g}")
    plot.mark(chosen, f"now {chosen:.3g}")
    return plot.render(f"{title} by threshold")


def importances(found: Importance, metric: str) -> str:
    """Return what the metric loses by input, with the interval where there is one."""
    top = list(found.losses.items())[:_INPUTS]
    if not top:
        return ""
    left, height, width = 150, 20, 420
    ends = {name: found.ends.get(name, (loss, loss)) for name, (loss, _) in top}
    x = Scale(min(0.0, *(e[0] for e in ends.values())), max(1e-12, *(e[1] for e in ends.values())))
    parts = []

    def across(value: float) -> float:
        return left + x.share(value) * (width - left - 60)

    for i, (name, (mean, _)) in enumerate(top):
        y, (low, high) = i * height, ends[name]
        start, end = sorted((across(0.0), across(mean)))
        parts.append(text(left - 8, y + 14, short(name, 22), anchor="end"))
        parts.append(
            f'<rect class="bar" x="{start:.1f}" y="{y + 4}" width="{max(end - start, 0.6):.1f}"'
            f' height="12"><title>{escape(f"{name}: {metric} loses {mean:.3g}")}</title></rect>'
            f'<line class="whisker" x1="{across(low):.1f}"'
            f' x2="{across(high):.1f}" y1="{y + 10}" y2="{y + 10}"/>'
        )
        parts.append(text(across(max(high, mean, 0.0)) + 5, y + 14, f"{mean:.3g}"))
    return svg(width, height * len(top) + 4, parts, f"what {metric} loses by input")


def attributions(found: Attribution, rows: Any) -> str:
    """Return what each input adds, a point a row: to the right it raises the answer.

    The colour is the input's own value, low blue to high orange; grey where it has no order.
    """
    order = np.argsort(-np.abs(found.amounts).mean(axis=0), kind="stable")[:_INPUTS]
    shown = found.amounts[:, order]
    if not shown.size:
        return ""
    left, width, height = 150, 470, 26
    reach = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    x = Scale(-reach, reach)
    middle = left + (width - left - 10) / 2
    floor = height * len(order)
    parts = [f'<line class="guide" x1="{middle}" x2="{middle}" y1="0" y2="{floor}"/>']
    picked = _spread_out(len(shown), _SWARM)
    for i, place in enumerate(order):
        name = found.inputs[place]
        parts.append(text(left - 8, i * height + 17, short(name, 22), anchor="end"))
        parts += _swarm(x, shown[picked, i], _ranks(rows[name])[picked], left, width, i * height)
    for value, anchor in ((-reach, "start"), (0.0, "middle"), (reach, "end")):
        at = left + x.share(value) * (width - left - 10)
        parts.append(text(at, floor + 14, tick_text(value), anchor=anchor))
    return svg(width, floor + 20, parts, "what each input adds to the answers")


def _swarm(
    x: Scale, values: Array, ranks: Array, left: float, width: float, top: float
) -> list[str]:
    """Return the points of one input; those at one place lie above and below each other."""
    taken: dict[int, int] = {}
    points = []
    for value, rank in zip(values, ranks, strict=True):
        across = left + x.share(float(value)) * (width - left - 10)
        nth = taken[int(across / 3)] = taken.get(int(across / 3), -1) + 1
        away = min((nth + 1) // 2 * 2.2, 10.0) * (1 if nth % 2 else -1)
        fill = f' style="fill:{colour(float(rank))}"' if np.isfinite(rank) else ""
        points.append(
            f'<circle class="dot{"" if fill else " none"}" cx="{across:.1f}"'
            f' cy="{top + 13 + away:.1f}" r="2"{fill}/>'
        )
    return points


def _ranks(column: Any) -> Array:
    """Return each value's rank from 0 to 1; NaN for texts and what is missing."""
    if column.dtype == object:
        return np.full(len(column), np.nan)
    ranks = column.rank(method="average")
    return np.asarray((ranks - 1) / max(float(ranks.max()) - 1, 1.0), dtype=np.float64)


def _tenths(
    by: Array, values: Array, parts: int = 10
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return place, median and quartiles of the values in parts of about equally many rows."""
    groups = [g for g in np.array_split(np.argsort(by, kind="stable"), parts) if len(g)]
    quantiles = [np.quantile(values[g], (0.25, 0.5, 0.75)) for g in groups]
    low, middle, high = ([float(q[i]) for q in quantiles] for i in range(3))
    return [float(by[g].mean()) for g in groups], middle, low, high


def _middle(values: Array) -> Scale:
    """Return a scale of the middle 99 %; what lies beyond is drawn at its ends."""
    low, high = np.quantile(values, (0.005, 0.995))
    return scale_of([float(low), float(high), 0.0])


def _spread_out(count: int, most: int = POINTS) -> Array:
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).astype(np.int64))


def _count(value: float) -> str:
    return f"{int(value):,}" if value < 10_000 else f"{value / 1000:,.0f}k"  # noqa: PLR2004
