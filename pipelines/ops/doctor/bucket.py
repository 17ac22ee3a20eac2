"""Whether the bucket of the store is there, and keeps what the store promises."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.ops.findings import Finding, ok, warning
from pipelines.store.bucket.address import bucket_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


def check_bucket(settings: Settings) -> Iterator[Finding]:
    """Write, read, list and remove one small object, twice at one key, where there is a bucket.

    Raises as `probe`, which names the right that is missing.
    """
    if not settings.has_bucket:
        return
    from pipelines.store.bucket.client import Client
    from pipelines.store.bucket.probe import probe

    address = bucket_address(settings.store, settings)
    begin = time.perf_counter()
    probe(Client(address))
    seconds = time.perf_counter() - begin
    yield ok(
        "bucket",
        f"{address.url} can be written, read, listed and cleared, and of two writers the first"
        f" wins ({seconds * 1_000:,.0f} ms for five requests)",
    )
    endpoint = urlsplit(address.endpoint)
    if endpoint.scheme == "http" and endpoint.hostname not in LOCAL:
        yield warning(
            "bucket",
            f"{address.endpoint} is reached without encryption.",
            "name an https:// endpoint.",
        )
