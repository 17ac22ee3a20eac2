"""The variables that are handed on as a key are those that the service's client reads."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import obstore
import pytest
from obstore.exceptions import BaseError

from pipelines.settings import KEY_VARIABLES, keys_in
from pipelines.store.bucket.address import BucketAddress
from pipelines.store.bucket.services import SERVICES
from tests.google_account import ServiceAccount

AUTHORITY = "AZURE_AUTHORITY_HOST"
"""Where Azure gives tokens."""


@dataclass
class Endpoint:
    """A server that finds nothing and keeps what it was asked with."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    def ask(self, address: BucketAddress) -> str:
        """Ask for an object as the store does, and return all that came with the requests."""
        self.asked.clear()
        place = replace(address, endpoint=self.url, retry_seconds=0.1)
        with contextlib.suppress(BaseError, FileNotFoundError):
            obstore.get(SERVICES[address.scheme].open(place), "x")
        return "\n".join(self.asked)


@pytest.fixture
def endpoint():
    here = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            here.asked.append(f"{self.requestline}\n{self.headers}\n{body.decode()}")
            is_token = self.path.endswith("/token")
            token = b'{"access_token": "of-the-client", "expires_in": 3600}' if is_token else b""
            self.send_response(200 if is_token else 404)
            self.send_header("content-length", str(len(token)))
            self.end_headers()
            self.wfile.write(token)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield here
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    for names in KEY_VARIABLES.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


S3 = BucketAddress("models")
AZURE = BucketAddress("models", scheme="az", account="ours")
GOOGLE = BucketAddress("models", scheme="gs")


@pytest.mark.parametrize(
    ("address", "key", "shown"),
    [
        (
            S3,
            {"AWS_ACCESS_KEY_ID": "id-of-ours", "AWS_SECRET_ACCESS_KEY": "hidden"},
            "Credential=id-of-ours/",
        ),
        (
            S3,
            {
                "AWS_ACCESS_KEY_ID": "id-of-ours",
                "AWS_SECRET_ACCESS_KEY": "hidden",
                "AWS_SESSION_TOKEN": "token-of-ours",
            },
            "token-of-ours",
        ),
        (AZURE, {"AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}, "SharedKey ours:"),
        (AZURE, {"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=of-ours"}, "sig=of-ours"),
        (
            AZURE,
            {
                "AZURE_TENANT_ID": "tenant-of-ours",
                "AZURE_CLIENT_ID": "client-of-ours",
                "AZURE_CLIENT_SECRET": "secret-of-ours",
            },
            "Bearer of-the-client",
        ),
        (GOOGLE, {"GOOGLE_SERVICE_ACCOUNT_KEY": ServiceAccount().key}, "Bearer ey"),
    ],
)
def test_each_is_read_by_the_client(endpoint, monkeypatch, address, key, shown):
    monkeypatch.setenv(AUTHORITY, endpoint.url)
    for name, value in key.items():
        monkeypatch.setenv(name, value)
    service = next(iter(key)).partition("_")[0]
    assert keys_in(key, service) == key
    asked = endpoint.ask(address)
    assert shown in asked
    if "AZURE_CLIENT_ID" in key:
        assert all(value in asked for value in key.values())


def test_all_that_the_table_has_are_tried_here():
    tried = {
        name
        for mark in test_each_is_read_by_the_client.pytestmark
        for _, key, _ in mark.args[1]
        for name in key
    }
    assert tried == {name for names in KEY_VARIABLES.values() for name in names}


@pytest.mark.parametrize("service", list(KEY_VARIABLES))
def test_half_a_key_is_none(service):
    whole = dict.fromkeys(KEY_VARIABLES[service], "x")
    for name in whole:
        rest = keys_in({**whole, name: ""}, service)
        assert name not in rest
        assert set(rest) < set(whole)
    assert keys_in({"PATH": "/bin", f"{service}_PROFILE": "x"}, service) == {}
