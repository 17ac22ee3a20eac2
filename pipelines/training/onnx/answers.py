"""What a fitted pipeline answers, and how far a compiled one is from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.clusters import Clusters
from pipelines.bundle.rows import frame_from_feed
from pipelines.bundle.strangeness import strangeness
from pipelines.tasks import answers_probabilities, answers_scores, has_named_classes

if TYPE_CHECKING:
    from pipelines.bundle.rows import Feed
    from pipelines.bundle.schema import InputSchema

    Array = np.ndarray[Any, Any]

BORDER = 1e-5
"""By how much less another cluster's point may be farther away, as a share, on a border."""


def native_answers(pipeline: Any, schema: InputSchema, feed: Feed) -> Array:
    """Return the fitted pipeline's answers [rows, k], as a bundle's predictor gives them."""
    frame = frame_from_feed(feed)
    if answers_scores(schema.task):
        return strangeness(pipeline, frame).reshape(-1, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        # edge rows may overflow in both; `difference` compares what came of it
        if not answers_probabilities(schema.task):
            values = np.asarray(pipeline.predict(frame), dtype=np.float64)
            return values.reshape(len(values), -1)
        probabilities = np.asarray(pipeline.predict_proba(frame), dtype=np.float64)
    return probabilities[:, 1:2] if schema.task == "binary" else probabilities


def excuse_borders(pipeline: Any, feed: Feed, native: Array, compiled: Array) -> Array:
    """Return the fitted pipeline's answers, with the compiled ones where a row lies on a border.

    Of a clustering that puts each row into one cluster. Where the nearest points of two clusters
    are equally far, up to float32's rounding of the inputs, either cluster is right.
    """
    model = pipeline.steps[-1][1]
    if not isinstance(model, Clusters) or native.shape != compiled.shape:
        return native
    if model.centres() is None:
        return native
    moved = np.flatnonzero((native != compiled).any(axis=1))
    if not len(moved):
        return native
    rows = frame_from_feed({name: values[moved] for name, values in feed.items()})
    with np.errstate(over="ignore", invalid="ignore"):
        on_border = model.margins(pipeline[:-1].transform(rows)) <= BORDER
    excused = native.copy()
    excused[moved[on_border]] = compiled[moved[on_border]]
    return excused


def difference(native: Array, compiled: Array, task: str, usual: float | None = None) -> float:
    """Return the greatest difference between the two models' answers.

    It is absolute for probabilities, and for values relative to the value (or to `usual`, if that
    is greater).

    `usual` is the answers' usual size, by default their median one. What is not finite must be the
    same on both sides, else the difference is infinite.
    """
    if native.shape != compiled.shape:
        return float("inf")
    finite = np.isfinite(native) & np.isfinite(compiled)
    same = (native == compiled) | (np.isnan(native) & np.isnan(compiled))
    gap = np.abs(np.where(finite, native, 0.0) - np.where(finite, compiled, 0.0))
    if not answers_probabilities(task):
        size = np.abs(np.where(finite, native, 0.0))
        gap = gap / np.maximum(
            np.maximum(size, usual_size(native) if usual is None else usual),
            np.finfo(np.float64).tiny,
        )
    return float(np.where(finite, gap, np.where(same, 0.0, np.inf)).max(initial=0.0))


def decide_apart(
    native: Array, compiled: Array, task: str, threshold: float | None
) -> tuple[int, float]:
    """Return on how many rows the two models decide otherwise, and how near that was.

    The latter is how far the fitted model's answer lies from the threshold, or of several classes
    below the greatest probability, at most; 0 where all decisions are the same. Without a threshold
    nothing but classes is decided between.
    """
    if has_named_classes(task):
        theirs = compiled.argmax(axis=1)
        gaps = native.max(axis=1) - native[np.arange(len(native)), theirs]
        apart = theirs != native.argmax(axis=1)
    elif threshold is not None:
        gaps = np.abs(native[:, 0] - threshold)
        apart = (native[:, 0] > threshold) != (compiled[:, 0] > threshold)
    else:
        return 0, 0.0
    return int(apart.sum()), float(gaps[apart].max(initial=0.0))


def usual_size(answers: Array) -> float:
    """Return the median size of the answers; 0 stands for those that are not finite."""
    return float(np.median(np.abs(np.where(np.isfinite(answers), answers, 0.0))))
