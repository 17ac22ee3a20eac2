"""One real server for many judgements, so that a proof of hundreds of them starts one.

It takes each challenger as its next release, and answers as a server of its own would: a server
holds the newest release of a model and no other.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pipelines.judging.trial_server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from pipelines.context import Context
    from pipelines.judging.trial_server import TrialServer

_MOST_SECONDS = 24 * 3_600.0


class KeptServer:
    """Yields the same server to each judgement; one that has ended is replaced."""

    def __init__(self) -> None:
        """Start nothing before somebody asks."""
        self._life = ExitStack()
        self._server: TrialServer | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the server."""
        self._life.close()

    @contextmanager
    def __call__(self, context: Context) -> Iterator[TrialServer]:
        """Yield the server."""
        if self._server is None or self._server.process.poll() is not None:
            self._life.close()
            started = running_server(context, most_seconds=_MOST_SECONDS)
            self._server = self._life.enter_context(started)
        yield self._server
