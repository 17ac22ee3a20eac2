"""Drawings of clusters: how apart they are, how large, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.comparison.scales import Scale, scale_of
from pipelines.comparison.svg import Plot, colour
from pipelines.science.cluster_metrics import Silhouette
from pipelines.science.cluster_plots import principal_components, sorted_silhouettes

if TYPE_CHECKING:
    from pipelines.science.own_metrics import Measures

    Array = np.ndarray[Any, Any]

BARS = 200
"""Rows that the plot of silhouettes draws."""
POINTS = 400


def cluster_drawings(measures: Measures, p: Array) -> list[tuple[str, str]]:
    """Return drawings of the clusters (n, k) of rows, each with what it shows."""
    metric = measures.find("silhouette")
    if not isinstance(metric, Silhouette):
        return []
    found, cluster = metric.of_rows(p), p.argmax(axis=1)
    drawings = [(_sizes(cluster, p.shape[1]), "held-out rows by cluster")]
    if np.isfinite(found).any():
        words = "silhouettes of the rows, cluster by cluster; below 0 another one is nearer"
        drawings.insert(0, (_silhouettes(found, cluster), words))
    points, share = principal_components(metric.space[metric.positions])
    words = f"the rows on two principal components, which hold {share:.0%} of their variance"
    return [*drawings, (_points(points, cluster), words)]


def _silhouettes(found: Array, cluster: Array) -> str:
    values, owner = sorted_silhouettes(found, cluster, BARS)
    low = min(-0.05, float(values.min()))
    plot = Plot(
        Scale(0, len(values)), Scale(low, 1), x_title="rows by cluster", y_title="silhouette"
    )
    for place in np.unique(owner):
        at = np.flatnonzero(owner == place)
        plot.band(at.tolist(), [0.0] * len(at), values[at].tolist())
        plot.mark(float(at[0]), str(place))
    plot.line([0, len(values)], [0, 0], "guide")
    return plot.render("silhouettes of the rows by cluster")


def _sizes(cluster: Array, clusters: int) -> str:
    counts = np.bincount(cluster, minlength=clusters)
    plot = Plot(
        Scale(-0.5, clusters - 0.5, names=tuple(str(place) for place in range(clusters))),
        Scale(0, float(counts.max()) * 1.1),
        x_title="cluster",
        y_title="rows",
    )
    for place, count in enumerate(counts.tolist()):
        share = count / max(int(counts.sum()), 1)
        plot.block(place - 0.4, place + 0.4, count, f"cluster {place}: {count:,} rows, {share:.1%}")
    return plot.render("rows by cluster")


def _points(points: Array, cluster: Array) -> str:
    at = np.unique(np.linspace(0, len(points) - 1, min(POINTS, len(points))).astype(np.int64))
    x, y = (scale_of(points[at, side].tolist()) for side in (0, 1))
    plot = Plot(x, y, x_title="first component", y_title="second component")
    most = max(int(cluster.max()), 1)
    for row in at.tolist():
        tone = colour(int(cluster[row]) / most)
        plot.dot(float(points[row, 0]), float(points[row, 1]), f"cluster {cluster[row]}", fill=tone)
    return plot.render("rows on two principal components, by cluster")
