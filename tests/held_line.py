"""A way to a server that is cut where a test says: what was under way arrives when it is mended."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class HeldLine:
    """Connections to a server, over `port` of 127.0.0.1.

    From what the pattern `hold_at` finds on, sent by a caller, nothing comes through any more,
    neither way, and nobody is told: as over a cable that was pulled. `mend` lets through what was
    sent.
    """

    def __init__(self, host: str, port: int, hold_at: bytes) -> None:
        self._upstream = (host, port)
        self._hold_at: re.Pattern[bytes] | None = re.compile(hold_at)
        self._open = threading.Event()
        self._open.set()
        self.was_cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        """Let everything through, from now on for good."""
        self._hold_at = None
        self._open.set()

    def close(self) -> None:
        self.mend()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        self._open.wait()
        with (
            near,
            socket.create_connection(self._upstream) as far,
            selectors.DefaultSelector() as selector,
            contextlib.suppress(OSError),
        ):
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                    if key.fileobj is near and self._hold_at and self._hold_at.search(data):
                        self._open.clear()
                        self.was_cut.set()
                    self._open.wait()
                    if not data:
                        return
                    key.data.sendall(data)


@contextlib.contextmanager
def held_line(host: str, port: int, hold_at: bytes) -> Iterator[HeldLine]:
    """Yield such a way; it is gone afterwards."""
    line = HeldLine(host, port, hold_at)
    try:
        yield line
    finally:
        line.close()
