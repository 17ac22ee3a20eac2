"""What comes back on a connection to which bytes were sent as they are."""

from __future__ import annotations

import re
import socket


def received(port: int, sent: bytes, *, half_closes: bool = True, after: int = 0) -> bytes:
    """Return all that comes back on one connection.

    A client that does not close its half reads until the server closes.

    It closes its half once so many answers (`after`) have come: HAProxy 2.6 leaves requests
    unanswered that still wait behind a closed half, now and then.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        whole = b""
        try:
            connection.sendall(sent)
            while (
                half_closes and len(statuses(whole)) < after and (part := connection.recv(1 << 20))
            ):
                whole += part
            if half_closes:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent: the answer may still be there
        parts = [whole]
        try:
            while part := connection.recv(1 << 20):
                parts.append(part)
        except ConnectionResetError:
            pass
    return b"".join(parts)


def statuses(answers: bytes) -> list[int]:
    """Return the status of every final answer."""
    return [
        int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answers) if status != b"100"
    ]
