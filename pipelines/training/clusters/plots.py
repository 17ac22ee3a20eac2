"""The plot of a candidate's clusters on the held-out rows, for its run in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.cluster_metrics import Silhouette
from pipelines.science.cluster_plots import principal_components, sorted_silhouettes
from pipelines.training.plots import SAMPLE, new_figure, save_figure

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.science.own_metrics import Measures

    Array = np.ndarray[Any, Any]


def clusters(folder: Path, measures: Measures, p: Array) -> list[Path]:
    """Draw silhouettes, sizes and two principal components of clusters (n, k) of the rows that
    `measures` are bound to.
    """
    metric = measures.find("silhouette")
    if not isinstance(metric, Silhouette) or not np.isfinite(p).all() or not len(p):
        return []
    cluster, found = p.argmax(axis=1), metric.of_rows(p)
    figure, (apart, sizes, where) = new_figure(3)
    _draw_silhouettes(apart, found, cluster)
    counts = np.bincount(cluster, minlength=p.shape[1])
    sizes.bar([str(place) for place in range(len(counts))], counts)
    sizes.set(title="sizes", xlabel="cluster", ylabel="held-out rows")
    points, share = principal_components(metric.space[metric.positions])
    at = np.unique(np.linspace(0, len(points) - 1, min(2 * SAMPLE, len(points))).astype(int))
    for place in np.unique(cluster[at]):
        rows = at[cluster[at] == place]
        where.plot(points[rows, 0], points[rows, 1], ".", alpha=0.6, label=str(place))
    where.set(title=f"two components ({share:.0%})", xlabel="first", ylabel="second")
    where.legend(loc="upper right")
    return [save_figure(figure, folder / "clusters.png")]


def _draw_silhouettes(axis: Any, found: Array, cluster: Array) -> None:
    axis.set(title="silhouettes", xlabel="silhouette", ylabel="rows, by cluster")
    if not np.isfinite(found).any():
        return
    values, owner = sorted_silhouettes(found, cluster, SAMPLE)
    for place in np.unique(owner):
        rows = np.flatnonzero(owner == place)
        axis.barh(rows, values[rows], height=1.0, label=str(place))
    axis.axvline(float(np.nanmean(found)), linestyle=":", color="grey")
    axis.legend(loc="upper right")
