"""S3 endpoints for tests: moto's server in a process of its own, or a real one.

A real one is named by PERENNIAL_TEST_S3 (its URL); its key is in AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, and it may make buckets and remove them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.store.bucket.address import BucketAddress
from pipelines.store.bucket.client import PART_BYTES
from pipelines.store.bucket.credentials import Credentials
from pipelines.store.bucket.store import BucketStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRON = dict(os.environ)
"""As it was before a test takes it away."""
LARGE = bytes(range(256)) * (PART_BYTES // 256 * 5 // 2)
"""Two and a half parts."""
CACHE = 1_000_000
START_SECONDS = 60


@dataclass(frozen=True)
class Endpoint:
    """An S3 endpoint, and the key with which tests use it."""

    url: str
    key_id: str
    secret: str

    def boto(self) -> Any:
        """Return AWS's own client, by which tests do behind our back what others might."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 8, "mode": "standard"}),
        )

    def address(self, **changes: Any) -> BucketAddress:
        """Return the address of a bucket that is not there yet."""
        address = BucketAddress(
            bucket=f"perennial-{secrets.token_hex(6)}",
            prefix="a team/state",
            endpoint=self.url,
            credentials=Credentials(self.key_id, self.secret),
            retry_seconds=20,
        )
        return replace(address, **changes)

    @contextlib.contextmanager
    def bucket(self, **changes: Any) -> Iterator[BucketAddress]:
        """Yield the address of an empty bucket; it is gone afterwards."""
        address, boto = self.address(**changes), self.boto()
        boto.create_bucket(Bucket=address.bucket)
        try:
            yield address
        finally:
            for page in boto.get_paginator("list_objects_v2").paginate(Bucket=address.bucket):
                for item in page.get("Contents", ()):
                    boto.delete_object(Bucket=address.bucket, Key=item["Key"])
            boto.delete_bucket(Bucket=address.bucket)

    def environment(self, address: BucketAddress) -> dict[str, str]:
        """Return the variables by which a process uses the bucket as its store."""
        return {
            "PERENNIAL_STORE": address.url.replace(" ", "%20"),
            "PERENNIAL_STORE_ENDPOINT": self.url,
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }


@contextlib.contextmanager
def moto(host: str = "127.0.0.1") -> Iterator[Endpoint]:
    """Run moto's server at an address of this machine."""
    port = free_port(host)
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(host, port):
            assert process.poll() is None, "moto's server ended"
            assert time.monotonic() < deadline, "moto's server does not listen"
            time.sleep(0.05)
        yield Endpoint(f"http://{host}:{port}", "test", "test-secret")
    finally:
        process.kill()
        process.wait()


def real_endpoint() -> Endpoint:
    """Return the real endpoint; skip the test where none is named."""
    url = ENVIRON.get("PERENNIAL_TEST_S3")
    if not url:
        pytest.skip("PERENNIAL_TEST_S3 names no S3 endpoint")
    return Endpoint(url, ENVIRON["AWS_ACCESS_KEY_ID"], ENVIRON["AWS_SECRET_ACCESS_KEY"])


def bucket_store(address: BucketAddress, folder: Path) -> BucketStore:
    """Return a store in the bucket, with its own folder on this host."""
    return BucketStore(address, folder, CACHE)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on at an address of this machine."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
    return port


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False
