"""A way to an S3 endpoint on which things go wrong: a small HTTP proxy that is told what to do."""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALWAYS = 10_000
LISTING = re.compile(r"[?&](list-type=2|comp=list)(&|$)")
"""In the path of a request that lists: of S3 and Google, and of Azure."""


class BadNetwork:
    """Hands requests on to an endpoint, unless it was told otherwise.

    Each plan says for how many requests of a method it holds; then all is well again.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.url = ""
        self.refusals: dict[str, list[tuple[int, str, int]]] = {}
        self.cut_uploads = 0
        """Connections that are closed when half of a body has come."""
        self.lost_answers = 0
        """Writes that the endpoint takes, and whose answer never arrives."""
        self.cut_downloads = 0
        self.ignores_conditions = False
        self.writable = ""
        """Where nothing else may be written or removed: a folder below the prefix; empty: none."""
        self.listings_come_late = False
        """Each listing is answered as it was when it was last asked for before."""
        self.listings: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.answers: Counter[tuple[str, int]] = Counter()
        self.lock = threading.Lock()

    def refuse(self, method: str, status: int, code: str, times: int = ALWAYS) -> None:
        """Answer requests of a method with an error of S3."""
        self.refusals.setdefault(method, []).append((status, code, times))

    def next_refusal(self, method: str) -> tuple[int, str] | None:
        with self.lock:
            plans = self.refusals.get(method, [])
            if not plans:
                return None
            status, code, times = plans[0]
            plans[:1] = [(status, code, times - 1)] if times > 1 else []
            return status, code

    def take(self, plan: str) -> bool:
        """Tell whether the plan holds for this request, which counts."""
        with self.lock:
            left: int = getattr(self, plan)
            setattr(self, plan, max(left - 1, 0))
            return left > 0


@contextlib.contextmanager
def bad_network(
    upstream: str, certificate: Path | None = None, host: str = "127.0.0.1"
) -> Iterator[BadNetwork]:
    """Run the proxy, with TLS where there is a certificate (a file with its key)."""
    network = BadNetwork(upstream)
    server = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"network": network}))
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    network.url = f"{scheme}://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield network
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    network: BadNetwork

    def do(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > 1 and self.command == "PUT" and self.network.take("cut_uploads"):
            self.rfile.read(size // 2)
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(size) if size else self.read_chunks()
        refusal = self.network.next_refusal(self.command) or self.forbidden()
        if refusal is not None:
            status, code = refusal
            self.answer(status, {}, f"<Error><Code>{code}</Code></Error>".encode())
            return
        status, headers, data = self.listed() or self.hand_on(body)
        self.remember(status, headers, data)
        if body and self.command == "PUT" and self.network.take("lost_answers"):
            self.close_connection = True
            self.connection.close()
            return
        self.answer(status, headers, data)

    def forbidden(self) -> tuple[int, str] | None:
        """Return the refusal of a write beside the folder that may be written to."""
        folder = self.network.writable
        is_write = self.command in {"PUT", "POST", "DELETE"}
        return (403, "AccessDenied") if folder and is_write and folder not in self.path else None

    def listed(self) -> tuple[int, dict[str, str], bytes] | None:
        """Return the answer of before, where listings come late."""
        return self.network.listings.get(self.path) if self.network.listings_come_late else None

    def remember(self, status: int, headers: dict[str, str], data: bytes) -> None:
        if self.command == "GET" and LISTING.search(self.path):
            self.network.listings[self.path] = status, headers, data

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do  # noqa: N815

    def read_chunks(self) -> bytes:
        """Return a body whose length nobody told before: boto sends such ones by TLS."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        del self.headers["Transfer-Encoding"]
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        self.headers["Content-Length"] = str(len(body))
        return body

    def hand_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        # "Expect" was answered here.
        headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
        if self.network.ignores_conditions:
            headers = {k: v for k, v in headers.items() if k.lower() != "if-none-match"}
        upstream = http.client.HTTPConnection(self.network.upstream, timeout=60)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            upstream.putheader(name, value)
        upstream.endheaders(body or None)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        return answer.status, dict(answer.getheaders()), data

    def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.network.answers[self.command, status] += 1
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(data)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "GET" and len(data) > 1 and self.network.take("cut_downloads"):
            data = data[: len(data) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def self_signed(folder: Path, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """Make a certificate for an address; return the file with its key, and the one without."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with_key, public = folder / "server.pem", folder / "ca.pem"
    with_key.write_bytes(private + pem)
    public.write_bytes(pem)
    return with_key, public
