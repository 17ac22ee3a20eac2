"""Google's storage for tests: Google's own testbench, with the XML API before it.

PERENNIAL_TEST_GCS names where googleapis/storage-testbench listens (docs/bucket.md says how it is
started).
"""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.store.bucket.address import BucketAddress
from pipelines.store.bucket.credentials import Credentials
from tests.buckets import ENVIRON
from tests.google_account import EMAIL, ServiceAccount
from tests.google_xml import Front, object_path, xml_front

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class GoogleStorage:
    """A testbench that listens, and the XML API before it."""

    front: Front

    @property
    def url(self) -> str:
        """Where the XML API listens."""
        return self.front.url

    def address(self, **changes: Any) -> BucketAddress:
        """Return the address of a bucket that is not there yet."""
        address = BucketAddress(
            bucket=f"perennial_{secrets.token_hex(6)}",
            prefix="a team/state",
            endpoint=self.url,
            credentials=Credentials(EMAIL, self.front.account.key),
            retry_seconds=20,
            scheme="gs",
        )
        return replace(address, **changes)

    @contextlib.contextmanager
    def bucket(self, **changes: Any) -> Iterator[BucketAddress]:
        """Yield the address of an empty bucket; it is gone afterwards."""
        address, buckets = self.address(**changes), "/storage/v1/b"
        told = json.dumps({"name": address.bucket}).encode()
        self.front.allowed(
            "POST", f"{buckets}?project=tests", told, {"Content-Type": "application/json"}
        )
        try:
            yield address
        finally:
            self.front.retry_test = ""
            whole = f"{buckets}/{address.bucket}"
            for item in json.loads(self.front.ask("GET", f"{whole}/o").body).get("items", ()):
                self.front.ask("DELETE", object_path(address.bucket, item["name"]))
            self.front.ask("DELETE", whole)

    def environment(self, address: BucketAddress) -> dict[str, str]:
        """Return the variables by which a process uses the bucket as its store."""
        return {
            "PERENNIAL_STORE": address.url.replace(" ", "%20"),
            "PERENNIAL_STORE_ENDPOINT": address.endpoint,
            "GOOGLE_SERVICE_ACCOUNT_KEY": self.front.account.key,
        }


@contextlib.contextmanager
def google_storage(host: str = "127.0.0.1") -> Iterator[GoogleStorage]:
    """Run the XML API before the testbench at an address of this machine; skip the test where none
    is named.
    """
    url = ENVIRON.get("PERENNIAL_TEST_GCS")
    if not url:
        pytest.skip("PERENNIAL_TEST_GCS names no storage-testbench")
    with xml_front(url, ServiceAccount(), host=host) as front:
        yield GoogleStorage(front)
