"""A Redis of its own for tests: on one address, with a password, with TLS where it is certified."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.buckets import free_port
from tests.rabbitmq import await_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.authorities import Certificate

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None,
    reason="redis-server is not here (apt install redis-server)",
)
START_SECONDS = 20


@dataclass
class Redis:
    """A server that can be killed and started again on what it has written down."""

    folder: Path
    host: str = "127.0.0.1"
    certificate: Certificate | None = None
    of_clients: Path | None = None
    """The authority whose certificates its clients must show."""
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker's address, with its password."""
        scheme = "redis" if self.certificate is None else "rediss"
        return f"{scheme}://:{self.password}@{self.host}:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it listens."""
        options = {
            "bind": self.host,
            "port": str(self.port),
            "dir": str(self.folder),
            "requirepass": self.password,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": '""',
        }
        if self.certificate is not None:
            options |= {
                "port": "0",
                "tls-port": str(self.port),
                "tls-cert-file": str(self.certificate.file),
                "tls-key-file": str(self.certificate.key),
                "tls-auth-clients": "no",
            }
        if self.of_clients is not None:
            options |= {"tls-auth-clients": "yes", "tls-ca-cert-file": str(self.of_clients)}
        config = self.folder / "redis.conf"
        config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self._process = subprocess.Popen(
            ["redis-server", str(config)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        await_port(self.host, self.port, START_SECONDS)

    def kill(self) -> None:
        """End it at once, as a machine that is switched off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def redis_server(folder: Path, **options: Any) -> Iterator[Redis]:
    """Run a server."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Redis(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
