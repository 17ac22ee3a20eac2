"""What `deploy` asks the server: which release a model serves, and which newer one it refused."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from pipelines.errors import Unreachable
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import Value
from pipelines.settings import without_password

if TYPE_CHECKING:
    import ssl

TIMEOUT_SECONDS = 5.0


class Refusal(Value):
    """A release that the server would not take, and why in words."""

    release: int
    reason: str


class Serves(Value):
    """What the server says of one model.

    No release before the first, and `refused` is the newest above the one that serves.
    """

    release: int | None = None
    version: str | None = None
    refused: Refusal | None = None


class Server(Protocol):
    """Whoever can say what is served."""

    def serves(self, model: str) -> Serves:
        """Return what the model serves.

        Raises Unreachable where there is no answer that makes sense.
        """
        ...


class ServingClient:
    """The server over HTTP (GET /models/<name>)."""

    def __init__(self, base_url: str) -> None:
        """Remember the base URL; nothing is opened."""
        self._base_url = base_url.rstrip("/")

    def model(self, name: str) -> dict[str, Any]:
        """Return all that the server says of the model.

        No `release` before the first, or where none could be loaded.

        Raises Unreachable where there is no answer that makes sense.
        """
        import httpx

        url = f"{self._base_url}/models/{name}"
        shown = without_password(url)
        remedy = "start the server (`make up`), then clear this task or let it retry."
        try:
            answer = httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False, verify=_tls())
            body: Any = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(
                f"The server does not answer at {shown}: {type(error).__name__}: {error}.",
                remedy=remedy,
            ) from error
        if not isinstance(body, dict) or _KNOWN.get(answer.status_code, "?") != _code(body):
            raise Unreachable(
                f"The server answers {answer.status_code} at {shown}, which says nothing of the"
                " model.",
                remedy=remedy,
            )
        return body

    def serves(self, model: str) -> Serves:
        """Return what the model serves, and what was refused."""
        return read_serves(model, self.model(model))


def read_serves(model: str, body: dict[str, Any]) -> Serves:
    """Return what a server's answer says of a model. Raises Unreachable where it makes no sense."""
    entry = body.get("refused")
    refusal = (
        {name: entry.get(name) for name in Refusal.model_fields}
        if isinstance(entry, dict)
        else None
    )
    try:
        return Serves.model_validate(
            {"release": body.get("release"), "version": body.get("version"), "refused": refusal}
        )
    except ValidationError as error:
        raise Unreachable(
            f"The server's answer on {model} makes no sense: {in_one_line(problems(error, None))}"
        ) from error


@cache
def _tls() -> ssl.SSLContext:
    """Return what connections are checked by; to read the certificates takes most of a request."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


_KNOWN = {200: None, 404: "unknown_model", 503: "model_not_loaded"}
"""The error's code by status: nothing is released yet (404), or no release could be loaded (503).
"""


def _code(body: dict[str, Any]) -> Any:
    error = body.get("error")
    return error.get("code") if isinstance(error, dict) else None
