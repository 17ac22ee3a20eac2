"""What a container says: two streams, which the engine sends over one connection."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING, Any

from docker.utils.socket import next_frame_header, read

from perennial_airflow.places.output import CHUNK, POLL_SECONDS, Lines
from pipelines.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAMS = {1: "stdout", 2: "stderr"}
"""How the engine numbers them."""


def follow_output(
    connection: Any, take_line: Callable[[str, str], None], on_turn: Callable[[], None]
) -> None:
    """Call `take_line("stdout" | "stderr", line)` for each line until the connection ends.

    `on_turn()` is called after each piece, and several times a second while nothing comes.

    Raises Unreachable where the connection breaks.
    """
    lines = {number: Lines(name, take_line) for number, name in STREAMS.items()}
    for stream, data in _pieces(connection):
        if stream in lines:
            lines[stream].feed(data)
        on_turn()
    for each in lines.values():
        each.close()


def _pieces(connection: Any) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces of both streams, each with its stream's number.

    A piece is empty where nothing came for a while: docker-py's own loop over frames waits without
    an end, so that nobody could stop a step that is silent.
    """
    stream, remaining = 0, 0
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        while remaining >= 0:
            data = b""
            if selector.select(POLL_SECONDS):
                try:
                    if remaining:
                        data = read(connection, min(remaining, CHUNK)) or b""
                        remaining = remaining - len(data) if data else -1
                    else:
                        stream, remaining = next_frame_header(connection)
                except OSError as error:
                    raise make_connection_error(error) from error
            yield stream, data


def make_connection_error(error: Exception) -> Unreachable:
    """Return the error that says that the engine, or the door to it, went away."""
    return Unreachable(f"The Docker engine was lost while the step was at work: {error}.")
