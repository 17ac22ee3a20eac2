"""`python -m serving.proof`: ask the server on this host its release's golden requests, over HTTP.

A pod is led to only after this has succeeded once: whoever started the pod, and whenever. The
questions carry the pod's own token, so they are a proof and no traffic.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
from typing import TYPE_CHECKING, Any

from pipelines.bundle.golden_answers import REFUSED, difference, format_answer
from pipelines.bundle.load import read_golden
from pipelines.errors import PerennialError
from pipelines.settings import load_settings
from pipelines.store.opening import open_store
from serving.one_release import release_of

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.settings import Settings

TIMEOUT_SECONDS = 5.0
SHOWN = 3
OK = 200


def prove(settings: Settings) -> str:
    """Return in words why the release may not serve (yet); "" where it may.

    Words that begin with `REFUSED` stay true.
    """
    release = release_of(settings)
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", settings.serving_port, timeout=TIMEOUT_SECONDS)
    ) as connection:
        status, text = _ask(connection, "GET", "/ready")
        if status != OK:
            return _refusal(connection, release) or f"not ready: {status} {text[:300]}"
        manifest, golden = read_golden(open_store(settings.releases, settings), release.bundle)
        differences = []
        for number, (row, expected) in enumerate(zip(golden.rows, golden.answers, strict=True)):
            status, text = _ask(
                connection,
                "POST",
                f"/models/{release.model}/predict",
                {"row": row},
                settings.proof_token,
            )
            words = difference(status, text, release, format_answer(manifest, expected))
            if words:
                differences.append(f"golden request {number}: {words}")
    if not differences:
        return ""
    more = f" (and {len(differences) - SHOWN} more)" if len(differences) > SHOWN else ""
    return f"{REFUSED}it does not answer as it was packaged: {'; '.join(differences[:SHOWN])}{more}"


def _refusal(connection: http.client.HTTPConnection, release: Release) -> str:
    """Return why the server will never serve the release, or "" while it may."""
    _, text = _ask(connection, "GET", f"/models/{release.model}")
    try:
        entry = json.loads(text).get("refused")
    except (ValueError, AttributeError):
        return ""
    if not isinstance(entry, dict) or entry.get("release") != release.number:
        return ""
    return f"{REFUSED}its server refuses the release: {entry.get('reason')}"


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    token: str = "",
) -> tuple[int, str]:
    """Return status and text of the answer."""
    headers = {"content-type": "application/json", "x-perennial-proof": token}
    data = json.dumps(body).encode() if body is not None else None
    connection.request(method, path, data, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8", "replace")


def main() -> int:
    """Ask; print why it may not serve; return the exit code."""
    try:
        words = prove(load_settings())
    except PerennialError as error:
        words = str(error)
    except (OSError, http.client.HTTPException) as error:
        words = f"not ready: {type(error).__name__}: {error}"
    if words:
        sys.stdout.write(f"{words}\n")
    return int(bool(words))


if __name__ == "__main__":
    sys.exit(main())
