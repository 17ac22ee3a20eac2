"""A way to the cluster's API that can be cut and mended: bytes pass through it, both ways."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Cut:
    """Connections to the API at `port`, until `cut`; after `mend` new ones come through again."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._is_cut = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_cut:
                    near.close()
                    continue
                pair = (near, socket.create_connection(self._upstream))
                self._pairs.append(pair)
                threading.Thread(target=_carry, args=pair, daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True
        for pair in self._pairs:
            for side in pair:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _carry(near: socket.socket, far: socket.socket) -> None:
    with near, far, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65_536)
                if not data:
                    return
                key.data.sendall(data)


@contextlib.contextmanager
def cut_network(folder: Path):
    """Yield a way to the cluster that can be cut, and the kubeconfig that leads over it."""
    source = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    body = yaml.safe_load(Path(source).read_text())
    cluster = body["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"])
    way = Cut((address.hostname, address.port or 443))
    cluster.update(server=f"https://127.0.0.1:{way.port}")
    cluster.setdefault("tls-server-name", address.hostname)
    config = folder / "kubeconfig"
    config.write_text(yaml.safe_dump(body))
    try:
        yield way, config
    finally:
        way.close()
