"""Azure's blob service for tests: Azurite, Microsoft's own emulator of it.

PERENNIAL_TEST_AZURE names where one listens (`azurite-blob --blobPort 10000`); its account and key
are those that everybody knows.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from pipelines.store.bucket.address import BucketAddress
from pipelines.store.bucket.credentials import Credentials
from tests.buckets import ENVIRON

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What Azurite's documentation says; it opens nothing else."""
_VERSION = "2021-12-02"


@dataclass(frozen=True)
class Azurite:
    """An emulator that listens."""

    url: str

    def address(self, **changes: Any) -> BucketAddress:
        """Return the address of a container that is not there yet."""
        address = BucketAddress(
            bucket=f"perennial-{secrets.token_hex(6)}",
            prefix="a team/state",
            endpoint=f"{self.url}/{ACCOUNT}",
            credentials=Credentials("", KEY),
            retry_seconds=20,
            scheme="az",
            account=ACCOUNT,
        )
        return replace(address, **changes)

    @contextlib.contextmanager
    def bucket(self, **changes: Any) -> Iterator[BucketAddress]:
        """Yield the address of an empty container; it is gone afterwards."""
        address = self.address(**changes)
        assert self._ask("PUT", address.bucket) == 201
        try:
            yield address
        finally:
            assert self._ask("DELETE", address.bucket) == 202

    def environment(self, address: BucketAddress) -> dict[str, str]:
        """Return the variables by which a process uses the container as its store."""
        return {
            "PERENNIAL_STORE": address.url.replace(" ", "%20"),
            "PERENNIAL_STORE_ENDPOINT": address.endpoint,
            "PERENNIAL_STORE_ACCOUNT": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        }

    def _ask(self, method: str, container: str) -> int:
        """Make or remove a container, which the product never does; return the status.

        The signature is that of Azure's "Authorize with Shared Key".
        """
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = f"x-ms-date:{date}\nx-ms-version:{_VERSION}"
        resource = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
        signed = "\n".join([method, *[""] * 11, headers, resource])
        signature = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        connection.request(
            method,
            f"/{ACCOUNT}/{container}?restype=container",
            headers={
                "x-ms-date": date,
                "x-ms-version": _VERSION,
                "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}",
                "Content-Length": "0",
            },
        )
        with contextlib.closing(connection):
            return connection.getresponse().status


def azurite() -> Azurite:
    """Return the emulator; skip the test where none is named."""
    url = ENVIRON.get("PERENNIAL_TEST_AZURE")
    if not url:
        pytest.skip("PERENNIAL_TEST_AZURE names no Azurite")
    return Azurite(url)
