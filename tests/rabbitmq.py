"""A RabbitMQ of its own for tests: on one address, with a user and a virtual host."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.buckets import ENVIRON, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.authorities import Certificate

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's program itself: the command around it changes to a user of its own."""
needs_rabbitmq = pytest.mark.skipif(
    not SERVER.exists() or shutil.which("epmd") is None,
    reason="rabbitmq-server is not here (apt install rabbitmq-server)",
)
START_SECONDS = 120
DAY_MS = 86_400_000


@dataclass
class RabbitMQ:
    """A server that can be killed and started again on what it has written down."""

    folder: Path
    host: str = "127.0.0.1"
    certificate: Certificate | None = None
    consumer_timeout: int = DAY_MS
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    vhost: str = "models"
    _ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The broker's address, with user and password."""
        scheme = "amqp" if self.certificate is None else "amqps"
        return f"{scheme}://perennial:{self.password}@{self.host}:{self.port}/{self.vhost}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        mapper, between = self._ports
        config = self.folder / "rabbitmq.conf"
        config.write_text(
            f"{self._listeners()}"
            f"default_vhost = {self.vhost}\n"
            "default_user = perennial\n"
            f"default_pass = {self.password}\n"
            f"consumer_timeout = {self.consumer_timeout}\n"
        )
        plugins = self.folder / "enabled_plugins"
        plugins.write_text("[].\n")
        environ = {
            "PATH": ENVIRON["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper),
            "RABBITMQ_NODENAME": f"perennial{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_DIST_PORT": str(between),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none"
            ),
        }
        # Its own, and not the one that would stay behind
        self._run(["epmd", "-address", "127.0.0.1", "-port", str(mapper)], environ)
        await_port("127.0.0.1", mapper, 10)
        self._run([str(SERVER)], environ)
        try:
            await_port(self.host, self.port, START_SECONDS)
        except TimeoutError:
            log = (self.folder / "output").read_text(errors="replace")[-2_000:]
            raise AssertionError(f"RabbitMQ does not start:\n{log}") from None

    def _listeners(self) -> str:
        address = f"{self.host}:{self.port}"
        if self.certificate is None:
            return f"listeners.tcp.1 = {address}\n"
        return (
            "listeners.tcp = none\n"
            f"listeners.ssl.1 = {address}\n"
            f"ssl_options.certfile = {self.certificate.file}\n"
            f"ssl_options.keyfile = {self.certificate.key}\n"
            "ssl_options.verify = verify_none\n"
        )

    def _run(self, command: list[str], environ: dict[str, str]) -> None:
        with (self.folder / "output").open("ab") as output:
            options: dict[str, Any] = {"stdout": output, "stderr": output, "env": environ}
            self._processes.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, start_new_session=True, **options
                )
            )

    def kill(self) -> None:
        """End it at once, as a machine that is switched off."""
        while self._processes:
            process = self._processes.pop()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # Those that it had started end a moment later
        await_port(self.host, self.port, START_SECONDS, listens=False)
        for port in self._ports:
            await_port("127.0.0.1", port, START_SECONDS, listens=False)


def await_port(host: str, port: int, seconds: float, *, listens: bool = True) -> None:
    """Wait until somebody listens at the port, or nobody. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            probe.settimeout(1)
            if (probe.connect_ex((host, port)) == 0) == listens:
                return
        time.sleep(0.1)
    raise TimeoutError


@contextlib.contextmanager
def rabbitmq(folder: Path, **options: Any) -> Iterator[RabbitMQ]:
    """Run a server."""
    server = RabbitMQ(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
