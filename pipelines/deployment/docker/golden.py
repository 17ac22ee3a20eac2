"""The proof of a release over HTTP.

It answers every golden request, one row at a time, exactly as the packaged model did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.bundle.golden_answers import difference, format_answer

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
        words = difference(
            answer.status_code, answer.text, release, format_answer(manifest, expected)
        )
        if words:
            texts.append(f"golden request {number}: {words}")
    return texts
