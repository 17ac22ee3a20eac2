"""The few plots of a candidate.

They are drawn through matplotlib's figures, without pyplot and its global state.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.collector import paused_collection
from pipelines.levels import middle
from pipelines.science.metrics import THRESHOLD, better_by, score
from pipelines.training.estimators import answers, frame

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.science.own_metrics import Measures
    from pipelines.spec import Spec
    from pipelines.training.decision_threshold import Chosen

    Array = np.ndarray[Any, Any]

SAMPLE = 400
"""Rows on which importance is measured; twice as many are drawn where points are."""
FAN = 150
"""Rows whose levels are drawn."""
INPUTS = 30
BINS = 10
OF_A_TRIAL = {"score", "spread", "seconds", "state", "reason", "share"}
"""What the table of settings says beside the parameters."""


def table(folder: Path, settings: list[dict[str, Any]]) -> Path:
    """Write every setting that was tried, with its score, as CSV."""
    path = folder / "settings.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(settings[0]))
        writer.writeheader()
        writer.writerows(settings)
    return path


def holdout(folder: Path, spec: Spec, y: Array, p: Array, times: Array) -> list[Path]:
    """Draw how the held-out rows were predicted.

    For classes: ROC, calibration and scores. For values: predicted against actual, and residuals
    over time. For quantiles: the share of outcomes below each level, and a fan.
    """
    if not len(y) or not np.isfinite(p).all():
        return []
    if spec.levels:
        figure, axes = new_figure(2)
        by = middle(p, spec.levels) if spec.is_snapshot else times
        _quantiles(axes, y, p, by, spec.levels)
        return [save_figure(figure, folder / "holdout.png")]
    if spec.task not in _PANELS:
        return []
    draw, count = _PANELS[spec.task]
    figure, axes = new_figure(count)
    draw(axes, y, p, times)
    return [save_figure(figure, folder / "holdout.png")]


def importance(
    folder: Path,
    spec: Spec,
    model: Any,
    schema: InputSchema,
    rows: pa.Table,
    y: Array,
    measures: Measures,
    threshold: float,
) -> list[Path]:
    """Draw how much train.metric loses when one input is shuffled.

    `measures` are those of the rows. It is measured on a sample (Breiman 2001, permutation
    importance).
    """
    rng = np.random.default_rng(spec.train.seed)
    sample = np.sort(rng.permutation(len(y))[:SAMPLE])
    inputs, truth, metric = frame(schema, rows.take(sample)), y[sample], spec.train.metric
    measure = measures.on(metric, sample)

    def score_frame(frame: pd.DataFrame) -> float:
        p = answers(model, frame, spec.task, schema.classes)
        return score(measure, truth, p, threshold=threshold)

    base = score_frame(inputs)
    losses = {}
    for column in schema.columns[:INPUTS]:
        shuffled = inputs.copy()
        shuffled[column.name] = inputs[column.name].to_numpy()[rng.permutation(len(sample))]
        losses[column.name] = float(better_by(measure, base, score_frame(shuffled)))
    top = [
        item for item in sorted(losses.items(), key=lambda item: item[1]) if np.isfinite(item[1])
    ][-15:]
    if not top:
        return []
    figure, (axis,) = new_figure(1, left=0.35)
    axis.barh([name for name, _ in top], [loss for _, loss in top])
    axis.set(title="inputs, shuffled one by one", xlabel=f"{metric} lost ({len(sample)} rows)")
    return [save_figure(figure, folder / "importance.png")]


def threshold(folder: Path, spec: Spec, chosen: Chosen) -> list[Path]:
    """Draw the metric that the threshold was chosen for against the threshold, and the choice."""
    kept, curve = chosen.threshold, chosen.curve
    if curve is None or kept is None:
        return []
    figure, (axis,) = new_figure(1)
    axis.plot(curve.thresholds, curve.scores, "-")
    axis.plot([kept.value], [curve.scores[curve.best]], "o", label=f"chosen: {kept.value:.3g}")
    axis.axvline(THRESHOLD, linestyle=":", color="grey", label="0.5")
    unit = spec.unit_of(kept.chosen_for)
    axis.set(
        title=f"{kept.rows:,} out-of-fold rows",
        xlabel="threshold",
        ylabel=f"{kept.chosen_for} ({unit})" if unit else kept.chosen_for,
        xlim=(0, 1),
    )
    axis.legend(loc="upper right")
    return [save_figure(figure, folder / "threshold.png")]


def search(folder: Path, spec: Spec, settings: list[dict[str, Any]]) -> list[Path]:
    """Draw the score of every setting against each parameter of the search."""
    settings = [row for row in settings if row["state"] == "complete"]
    names = [n for n in settings[0] if n not in OF_A_TRIAL][:4]
    figure, axes = new_figure(len(names))
    for axis, name in zip(axes, names, strict=True):
        values = [row[name] for row in settings]
        numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        axis.plot(
            values if numeric else [str(v) for v in values],
            [row["score"] for row in settings],
            "o",
            alpha=0.6,
        )
        axis.set(xlabel=name, ylabel=f"{spec.train.metric} over the folds")
    return [save_figure(figure, folder / "search.png")]


def _binary(axes: list[Any], y: Array, p: Array, _: Array) -> None:
    roc, calibration, spread = axes
    order = np.argsort(-p, kind="stable")
    hits, misses = np.cumsum(y[order] == 1), np.cumsum(y[order] == 0)
    at = np.unique(np.linspace(0, len(y) - 1, 300).astype(int))
    roc.plot(misses[at] / max(misses[-1], 1), hits[at] / max(hits[-1], 1))
    roc.plot([0, 1], [0, 1], ":", color="grey")
    roc.set(title="ROC", xlabel="false positives", ylabel="true positives")
    groups = [g for g in np.array_split(order, BINS) if len(g)]
    calibration.plot([p[g].mean() for g in groups], [y[g].mean() for g in groups], "o-")
    calibration.plot([0, 1], [0, 1], ":", color="grey")
    calibration.set(title="calibration (tenths)", xlabel="predicted", ylabel="observed")
    for label in (0, 1):
        spread.hist(p[y == label], bins=40, range=(0, 1), alpha=0.6, label=str(label))
    spread.set(title="scores", xlabel="predicted")
    spread.legend(loc="upper right")


def _regression(axes: list[Any], y: Array, p: Array, times: Array) -> None:
    at = np.unique(np.linspace(0, len(y) - 1, 2 * SAMPLE).astype(int))
    against, over_time = axes
    against.plot(y[at], p[at], ".", alpha=0.4)
    bounds = [float(y.min()), float(y.max())]
    against.plot(bounds, bounds, ":", color="grey")
    against.set(title="predicted against actual", xlabel="actual", ylabel="predicted")
    over_time.plot(times[at], (y - p)[at], ".", alpha=0.4)
    over_time.tick_params(axis="x", rotation=30)
    over_time.set(title="residuals", ylabel="actual - predicted")


def _quantiles(axes: list[Any], y: Array, p: Array, by: Array, levels: tuple[float, ...]) -> None:
    """Draw how many outcomes lie below each level, and the levels of the last rows as a fan."""
    reliability, fan = axes
    reliability.plot(levels, [(y <= p[:, i]).mean() for i in range(len(levels))], "o-")
    reliability.plot([0, 1], [0, 1], ":", color="grey")
    reliability.set(title="reliability", xlabel="level", ylabel="share of outcomes below")
    last = np.argsort(by, kind="stable")[-FAN:]
    places = np.arange(len(last))
    for i in range(len(levels) // 2):
        fan.fill_between(places, p[last, i], p[last, -1 - i], alpha=0.25, color="tab:blue")
    fan.plot(places, middle(p[last], levels), "-")
    fan.plot(places, y[last], ".", color="black", markersize=3)
    fan.set(title=f"the last {len(last)} of {len(y):,} rows", ylabel="outcome")


def _multiclass(axes: list[Any], y: Array, p: Array, _: Array) -> None:
    count = p.shape[1]
    has_class = y >= 0
    counts = np.zeros((count, count))
    np.add.at(counts, (y[has_class], p[has_class].argmax(axis=1)), 1)
    axes[0].imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), vmin=0, vmax=1)
    axes[0].set(
        title="share of each class by what was predicted", xlabel="predicted", ylabel="actual"
    )


def new_figure(panels: int, left: float = 0.17) -> tuple[Any, list[Any]]:
    """Return a figure with panels beside each other."""
    with paused_collection():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * panels, 3.6), dpi=80)
    # the tight layout would draw all of it twice
    figure.subplots_adjust(left=left / panels, right=0.97, bottom=0.2, top=0.9, wspace=0.3)
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure as PNG and return the file."""
    figure.savefig(path)
    return path


def _anomaly(axes: Any, y: Array, p: Array, times: Array) -> None:
    """Draw the scores of the held-out rows, and over time; known anomalies apart."""
    axes[0].hist(p, bins=40, log=True, color="grey", label="all rows")
    axes[1].plot(times, p, ".", markersize=2, color="grey", label="all rows")
    if (y == 1).any():
        axes[0].hist(p[y == 1], bins=40, color="tab:red", label="known anomalies")
        axes[1].plot(times[y == 1], p[y == 1], "x", color="tab:red", label="known anomalies")
        axes[0].legend(loc="upper right")
    axes[0].set(title=f"{len(p):,} held-out rows", xlabel="score", ylabel="rows")
    axes[1].set(title="over time", ylabel="score")
    axes[1].tick_params(axis="x", rotation=30)


_PANELS: dict[str, tuple[Any, int]] = {
    "binary": (_binary, 3),
    "multiclass": (_multiclass, 1),
    "regression": (_regression, 2),
    "forecast": (_regression, 2),
    "anomaly": (_anomaly, 2),
}
"""By task: what draws the held-out rows, and on how many panels."""
