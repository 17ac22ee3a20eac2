"""A golden request asked over HTTP, and how its answer differs from the packaged model's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.tasks import answers_scores, has_named_classes

if TYPE_CHECKING:
    from pipelines.bundle.manifest import BundleManifest, Release

OK = 200
REFUSED = "refused: "
"""Begins what a server's proof says, where no waiting can mend it."""
SHOWN = 200
"""Characters that are shown of an answer that is none."""


def format_answer(manifest: BundleManifest, answer: list[float]) -> Any:
    """Return a golden answer as the API tells it.

    A number, of several classes the label and its probabilities, of an anomaly model the score and
    whether it is one, of quantiles the values by level.
    """
    if manifest.inputs.levels:
        return dict(zip(manifest.inputs.answer_names, answer, strict=True))
    if answers_scores(manifest.inputs.task):
        return {"score": answer[0], "anomaly": answer[0] > manifest.threshold_value}
    if not has_named_classes(manifest.inputs.task):
        return answer[0]
    classes = manifest.inputs.classes or []
    best = max(
        range(len(answer)), key=answer.__getitem__
    )  # the first of equal ones, like numpy's argmax
    return {"label": classes[best], "probabilities": dict(zip(classes, answer, strict=True))}


def difference(status: int, text: str, release: Release, expected: Any) -> str:
    """Return in words how an answer differs from what is expected; "" where it does not."""
    try:
        body: Any = json.loads(text)
    except ValueError:
        body = None
    if status != OK or not isinstance(body, dict):
        return f"answered with status {status}: {text[:SHOWN]}"
    who = (body.get("model"), body.get("version"), body.get("release"))
    if who != (release.model, release.version, release.number):
        return f"answered by {who}"
    predictions = body.get("predictions")
    return "" if predictions == [expected] else f"expected {[expected]}, got {predictions}"
