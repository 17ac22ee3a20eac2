"""Services on loopback that take alerts: a webhook and a mail server, which keep what came."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Received:
    """What a webhook was sent, and how it answers: with a status, after `gate` is open."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def titles(self) -> list[str]:
        return [body["title"] for body in self.bodies]


@contextlib.contextmanager
def webhook(port: int = 0) -> Iterator[Received]:
    """Answer on a port of loopback until the end of the block."""
    received = Received()
    received.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.arrived.set()
            received.gate.wait(30)
            if received.status == 200:
                received.bodies.append(json.loads(body))
            with contextlib.suppress(OSError):
                self.send_response(received.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        received.port = server.server_address[1]
        with _serving(server):
            try:
                yield received
            finally:
                received.gate.set()


@dataclass
class Mails:
    """The mails that a server took, each with its envelope, and its port."""

    texts: list[str] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    port: int = 0


@contextlib.contextmanager
def mail_server() -> Iterator[Mails]:
    """Take mails (SMTP, RFC 5321, without log-in and encryption) on a port of loopback."""
    mails = Mails()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 test")
            for line in self.rfile:
                word = line.decode().strip()
                command = word.partition(" ")[0].upper()
                if command == "DATA":
                    self._say("354 go on")
                    mails.texts.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                elif command == "RCPT":
                    mails.to.append(word)
                self._say("221 bye" if command == "QUIT" else "250 test")
                if command == "QUIT":
                    return

        def _say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        mails.port = server.server_address[1]
        with _serving(server):
            yield mails


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
