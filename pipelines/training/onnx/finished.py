"""Reads a finished model from a model's folder, and refuses what could not be served as it is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.bundle.finished import FinishedModel
from pipelines.bundle.rows import feed_from_rows
from pipelines.errors import BadData, PerennialError, SpecError
from pipelines.refs import sha256
from pipelines.tasks import classifies
from pipelines.training.onnx.wrapping import wrap

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.bundle.rows import Feed
    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate

    Array = np.ndarray[Any, Any]

LARGEST: Final = 256 * 2**20
"""Bytes of a finished model."""
_SAME: Final = 1e-5
_SUM: Final = 1e-3
_ROWS: Final = 16
_SECONDS: Final = 30.0


def read_file(folder: Path, candidate: Candidate) -> bytes:
    """Return the bytes of a candidate's finished model.

    Raises SpecError where the file is not there, is too large, or lies outside the model's folder.
    """
    path, at = folder / str(candidate.onnx), ("candidates", candidate.name, "onnx")
    subject = f"candidates.{candidate.name}: {candidate.onnx}"
    try:
        real = path.resolve(strict=True)
        size = real.stat().st_size
    except (OSError, RuntimeError) as error:
        raise SpecError(
            f"{subject} cannot be read.", remedy=f"put the file into {folder.name}/.", at=at
        ) from error
    if not real.is_relative_to(folder.resolve()) or not real.is_file():
        raise SpecError(
            f"{subject} is no file within the model's folder.",
            remedy="copy the file there; a link that leads out of it is not followed.",
            at=at,
        )
    if size > LARGEST:
        raise SpecError(
            f"{subject} has {size:,} bytes, more than {LARGEST:,}.",
            remedy="store its weights as float16 or quantise it.",
            at=at,
        )
    return real.read_bytes()


def digest_of(folder: Path, candidate: Candidate) -> str:
    """Return the SHA-256 of a finished model's file, which stands in the run beside its results."""
    return sha256(read_file(folder, candidate))


def open_finished(folder: Path, candidate: Candidate, schema: InputSchema) -> FinishedModel:
    """Return the finished model of a candidate, after it has answered some rows.

    Raises SpecError where it does not take the inputs that the spec names, or does not answer as
    the task asks.
    """
    data = read_file(folder, candidate)
    try:
        model = FinishedModel(wrap(data, schema), schema.model_dump_json()).fit(None)
        _try_out(model, schema)
    except PerennialError as error:
        raise SpecError(
            f"candidates.{candidate.name}: {candidate.onnx}: {error.message}",
            remedy=error.remedy or "export the model again, for the inputs of features.inputs.",
            at=("candidates", candidate.name, "onnx"),
        ) from error
    return model


def _try_out(model: FinishedModel, schema: InputSchema) -> None:
    """Ask some rows twice, and one by one. Raises BadData where the answers make no sense."""
    feed = _rows(schema)
    first = _ask(model, feed)
    if len(first) != _ROWS:
        raise BadData(
            f"it answers {first.size} numbers to {_ROWS} rows, which the task does not ask for.",
            remedy="let it answer one value, or one number for each class or level, to each row.",
        )
    if not np.isfinite(first).all():
        raise BadData(
            "it answers NaN or infinity to ordinary numbers.",
            remedy="scale its inputs within the model.",
        )
    if classifies(schema.task):
        _refuse_scores(first)
    if not np.array_equal(first, _ask(model, feed)):
        raise BadData(
            "it answers otherwise when it is asked again.",
            remedy="export it for inference: without dropout and random numbers.",
        )
    one_by_one = [
        _ask(model, {n: a[i : i + 1] for n, a in feed.items()}) for i in range(len(first))
    ]
    if np.abs(np.concatenate(one_by_one) - first).max() > _SAME * max(1.0, np.abs(first).max()):
        raise BadData(
            "its answer to a row depends on the rows beside it.",
            remedy="export it for inference: a normalisation must use what it has learnt.",
        )


def _refuse_scores(answers: Array) -> None:
    sums = answers.sum(axis=1) if answers.shape[1] > 1 else np.ones(len(answers))
    if answers.min() < -_SAME or answers.max() > 1 + _SAME or np.abs(sums - 1).max() > _SUM:
        raise BadData(
            f"its answers, such as {answers[0].tolist()}, are no probabilities.",
            remedy="let the model end with a sigmoid or a softmax.",
        )


def _rows(schema: InputSchema) -> Feed:
    """Return ordinary rows: small numbers, and some words."""
    rng = np.random.default_rng(0)
    words = ["a", "some words", "", "0"]
    rows: list[dict[str, Any]] = [
        {
            c.name: words[i % len(words)] if c.kind == "string" else float(round(number, 3))
            for c, number in zip(schema.columns, rng.normal(size=len(schema.columns)), strict=True)
        }
        for i in range(_ROWS)
    ]
    return feed_from_rows(schema.columns, rows)


def _ask(model: FinishedModel, feed: Feed) -> Array:
    """Return the answers [n, k]; a model that does not end is stopped. Raises BadData."""
    import onnxruntime

    predictor, options = model.open(), onnxruntime.RunOptions()

    def stop() -> None:
        options.terminate = True

    timer = threading.Timer(_SECONDS, stop)
    timer.start()
    try:
        return predictor.predict_feed(feed, options)
    except PerennialError:
        raise
    except Exception as error:  # the runtime's exceptions have no common base
        words = " ".join(str(error).split())[:300]
        late = f" within {_SECONDS:g} s" if options.terminate else ""
        raise BadData(
            f"it does not answer{late}: {words}",
            remedy="its declared inputs must be those that it computes with.",
        ) from error
    finally:
        timer.cancel()
