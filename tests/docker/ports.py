"""Ports for what tests publish.

Below those that the system gives to outgoing connections and the engine to whoever names none.
"""

from __future__ import annotations

import random
import socket

_random = random.SystemRandom()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody holds now."""
    while True:
        port = _random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
