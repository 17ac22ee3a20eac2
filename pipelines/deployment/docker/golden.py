"""The proof of a release over HTTP.

It answers every golden request, one row at a time, exactly as the packaged model did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.tasks import answers_scores, has_named_classes

if TYPE_CHECKING:
    import httpx

    from pipelines.bundle.manifest import BundleManifest, Golden, Release


AWAY = (502, 503, 504)


def differences(
    client: httpx.Client, release: Release, manifest: BundleManifest, golden: Golden
) -> list[str]:
    """Ask every golden request over the client's one connection and return in words what differs.

    Empty where nothing does.

    Raises httpx.HTTPError where no answer comes, or one that says nothing of the model (the
    gateway's 502, 503 and 504).
    """
    texts = []
    for number, (row, expected) in enumerate(zip(golden.rows, golden.answers, strict=True)):
        answer = client.post(f"/models/{release.model}/predict", json={"row": row})
        if answer.status_code in AWAY:
            answer.raise_for_status()
        difference = _difference(answer, release, format_answer(manifest, expected))
        if difference:
            texts.append(f"golden request {number}: {difference}")
    return texts


def format_answer(manifest: BundleManifest, answer: list[float]) -> Any:
    """Return a golden answer as the API tells it.

    A number, of several classes the label and its probabilities, of an anomaly model the score and
    whether it is one.
    """
    if answers_scores(manifest.inputs.task):
        return {"score": answer[0], "anomaly": answer[0] > manifest.threshold_value}
    if not has_named_classes(manifest.inputs.task):
        return answer[0]
    classes = manifest.inputs.classes or []
    best = max(
        range(len(answer)), key=answer.__getitem__
    )  # the first of equal ones, like numpy's argmax
    return {"label": classes[best], "probabilities": dict(zip(classes, answer, strict=True))}


def _difference(answer: httpx.Response, release: Release, expected: Any) -> str:
    try:
        body: Any = answer.json()
    except ValueError:
        body = None
    if answer.status_code != 200 or not isinstance(body, dict):  # noqa: PLR2004
        return f"answered with status {answer.status_code}: {answer.text[:200]}"
    who = (body.get("model"), body.get("version"), body.get("release"))
    if who != (release.model, release.version, release.number):
        return f"answered by {who}"
    predictions = body.get("predictions")
    return "" if predictions == [expected] else f"expected {[expected]}, got {predictions}"
