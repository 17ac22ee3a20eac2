"""Whether an endpoint keeps the promise that everything rests on: of two writers the first wins.

Some S3 endpoints take `If-None-Match: *` and write all the same. That is found by trying, before
the first entry is written, and then once a day on each host.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Final

from pipelines.errors import RequestError
from pipelines.private_files import make_folder
from pipelines.refs import sha256
from pipelines.store.bucket.client import Fetched

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.store.bucket.client import Client

FOLDER: Final = "probes"
BELIEVED_SECONDS: Final = 86_400.0


def probe(client: Client) -> None:
    """Write, read, list and remove one small object, and see that it cannot be written twice.

    Raises Denied, naming the right that is missing, RequestError where the bucket is not there or
    the endpoint lets a second writer win, Unreachable where it does not answer.
    """
    name = f"{FOLDER}/{secrets.token_hex(8)}"
    client.create(name, b"first", "first")
    second = client.create(name, b"second", "second")
    found = client.get(name)
    is_listed = name in client.names(FOLDER)
    client.remove(name)
    if second or not is_listed or not isinstance(found, Fetched) or found.data != b"first":
        raise RequestError(
            f"The endpoint of {client.address.url} lets a second writer take a key that is taken"
            " (it ignores If-None-Match), so two hosts could both believe that they were first.",
            remedy="use an endpoint that keeps it: AWS, Ceph or MinIO (docs/bucket.md).",
        )


def probe_daily(client: Client, folder: Path) -> None:
    """Probe, unless this host did so within a day; the folder remembers it. Raises as `probe`."""
    address = client.address
    place = f"{address.endpoint} {address.region} {address.url}"
    memory = folder / f"probe-{sha256(place.encode())[:16]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if 0 <= time.time() - json.loads(memory.read_bytes())["at"] < BELIEVED_SECONDS:
            return
    probe(client)
    make_folder(folder)
    memory.write_text(json.dumps({"at": time.time(), "place": place}), encoding="utf-8")
