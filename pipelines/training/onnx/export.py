"""Compile a fitted pipeline to ONNX, with proof.

The compiled model must answer as the fitted one did, or it is not used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.training.onnx.answers import (
    decide_apart,
    difference,
    excuse_borders,
    native_answers,
    usual_size,
)
from pipelines.training.onnx.conversion import to_onnx
from pipelines.training.onnx.questions import HELD_OUT, ask, why_unprovable
from pipelines.training.onnx.thresholds import count_asked, trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.bundle.rows import Feed, Row
    from pipelines.bundle.schema import InputSchema

TOLERANCE = {
    **dict.fromkeys(("binary", "multiclass", "cluster", "anomaly"), 1e-5),
    **dict.fromkeys(("regression", "forecast", "quantiles"), 1e-4),
}
"""How far answers may differ.

Absolutely for probabilities, relatively for values and scores (see `difference`).
"""
_NO_CONVERTER = re.compile(r"shape calculator for type '<class '(?:[\w.]+\.)?(?P<name>\w+)'>")
"""What skl2onnx says of a class that it does not know."""
_LONGEST = 200
"""Characters of what else a library says."""
UNDECIDED = 1e-4
"""The share of held-out rows that may decide otherwise for being within rounding of the threshold.

More is no chance: a whole leaf of a tree lies on it.
"""
ALONE = 300
"""Rows of a feed that the compiled model is also asked one at a time, as callers mostly do."""


@dataclass(frozen=True)
class Compilation:
    """The ONNX bytes, or None with the reason in `why_not`.

    `parity` is the greatest difference from the fitted model's answers.
    """

    model: bytes | None
    parity: float | None
    why_not: str
    rows: int = 0
    """How many rows were compared."""
    thresholds: int = 0
    """How many thresholds its trees have."""
    asked: int = 0
    """At how many of them was asked; the others cannot be traced back to an input, or are too
    many."""
    apart: int = 0
    """How many of the compared rows it decides otherwise."""
    decision_gap: float = 0.0
    """How far from the threshold, or from the greatest of several, a probability was there."""


def compile_pipeline(
    pipeline: Any,
    schema: InputSchema,
    held_out: Feed,
    edges: list[Row],
    threshold: float | None = None,
) -> Compilation:
    """Compile the pipeline and compare the answers.

    A model that does not compile, load, answer or agree is refused; `why_not` says why. What is
    compared is said in `questions`. `threshold`: above which probability a model of two classes
    decides for class 1; None where it only answers probabilities.
    """
    if why := why_unprovable(pipeline):
        return Compilation(None, None, f"not compiled: {why}")
    try:
        traced = trace(pipeline, schema)
        model = to_onnx(pipeline, schema)
        questions = ask(pipeline, schema, held_out, edges, threshold)
        proof = _prove(pipeline, OnnxPredictor(schema, model), questions, threshold)
    # Converter and runtime raise what they like; any of it means: serve natively, and say why.
    except Exception as error:  # noqa: BLE001
        return Compilation(None, None, f"not compiled: {_in_words(error)}")
    return replace(
        proof,
        model=None if proof.why_not else model,
        thresholds=sum(len(t.nodes.feature) for t in traced),
        asked=sum(count_asked(t) for t in traced),
    )


def _in_words(error: Exception) -> str:
    """Return why the converter or the runtime gave up; of own code without its package's name."""
    words = " ".join(str(error).split())
    if found := _NO_CONVERTER.search(words):
        return f"there is no converter for {found['name']}"
    return f"{type(error).__name__}: {shorten(words, _LONGEST, placeholder=' …')}"


def _prove(
    pipeline: Any,
    predictor: OnnxPredictor,
    questions: Iterator[tuple[str, Feed]],
    threshold: float | None,
) -> Compilation:
    """Compare the answers; stop at the first feed whose difference is too great, and name it."""
    schema, worst, rows, usual = predictor.schema, 0.0, 0, None
    apart, gap = 0, 0.0
    tolerance = TOLERANCE[schema.task]
    for where, feed in questions:
        count = len(feed[schema.columns[0].name])
        if not count:
            continue
        native, compiled = native_answers(pipeline, schema, feed), predictor.predict_feed(feed)
        native = excuse_borders(pipeline, feed, native, compiled)
        usual = usual_size(native) if usual is None else usual
        alone = _ask_alone(predictor, feed, count)
        worst = max(
            worst,
            difference(native, compiled, schema.task, usual),
            difference(native[alone[0]], alone[1], schema.task, usual),
        )
        rows += count
        if not worst <= tolerance:
            return Compilation(
                None,
                worst,
                f"the compiled model differs by {worst:.3g} on {where}, more than {tolerance:g}",
                rows,
            )
        here, near = decide_apart(native, compiled, schema.task, threshold)
        apart, gap = apart + here, max(gap, near)
        if threshold is not None and where == HELD_OUT and here > UNDECIDED * count:
            why = (
                f"the compiled model decides {here:,} of {count:,} held-out rows otherwise, whose"
                f" answers lie within {near:.1g} of the threshold {threshold:g}; one a little"
                " beside it would part them"
            )
            return Compilation(None, worst, why, rows, apart=apart, decision_gap=gap)
    return Compilation(None, worst, "", rows, apart=apart, decision_gap=gap)


def _ask_alone(predictor: OnnxPredictor, feed: Feed, count: int) -> tuple[Any, Any]:
    """Return the positions of some rows, and the answers to each of them by itself.

    A converted tokeniser, for one, may fail on a single row without a word, and not on many.
    """
    places = np.unique(np.linspace(0, count - 1, min(count, ALONE)).astype(np.int64))
    one_by_one = [
        predictor.predict_feed({name: a[i : i + 1] for name, a in feed.items()}) for i in places
    ]
    return places, np.concatenate(one_by_one)
