"""DVC's remote in the bucket of the store.

DVC would need a plug-in for it (dvc-s3), with a second AWS library that pins the one of MLflow.
Its push would have to be checked here in any case. So the objects are uploaded here, under the
names that DVC gives them; a `dvc pull` of somebody who has the plug-in finds them.
"""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.store.bucket.client import Client, Fetched
from pipelines.versions.shared_history import DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pipelines.store.bucket.address import BucketAddress
    from pipelines.versions.objects import Objects

DVC = "dvc"
"""Where the remote is below the store's prefix."""
LAYOUT = "files/md5"
HISTORY = "history"
"""Where the history of the features' repository is below the store's prefix."""
PARTS, WHOLE = f"{HISTORY}/parts", f"{HISTORY}/whole"


class BucketRemote:
    """A remote in the bucket of the store."""

    is_folder = False

    def __init__(self, address: BucketAddress) -> None:
        """Use the bucket; the first call asks it."""
        self._address = address
        self._client = Client(address)

    @property
    def options(self) -> Mapping[str, str]:
        """What DVC's plug-in for the bucket must know. Credentials are not written down."""
        address = self._address
        if address.scheme == "az":
            container = f"azure://{address.bucket}/{address.prefix}".rstrip("/")
            return {"url": f"{container}/{DVC}", "account_name": address.account}
        options = {"url": address.below(DVC)}
        if address.endpoint:
            options["endpointurl"] = address.endpoint
        if address.scheme == "gs":
            return options
        options["region"] = address.region
        if address.encryption:
            options["sse"] = address.encryption
        if address.kms_key:
            options["sse_kms_key_id"] = address.kms_key
        return options

    @property
    def history(self) -> BucketHistory:
        """The history that all hosts share."""
        return BucketHistory(self._client)

    def place(self, oid: str) -> str:
        """Return an object's URL."""
        return self._address.below(_path(oid))

    def make(self) -> bool:
        """Look whether there are objects: a bucket needs no making."""
        return next(iter(self._client.all(DVC)), None) is None

    def reach(self) -> None:
        """Do nothing: each request says by itself that the bucket is away."""

    def present(self, oids: Collection[str]) -> set[str]:
        """List all objects, a thousand with a request."""
        there = {item.name for item in self._client.all(f"{DVC}/{LAYOUT}")}
        return {oid for oid in oids if _path(oid) in there}

    def is_sound(self, oid: str, sound: Callable[[Path], bool]) -> bool:
        """Download the object."""
        found = self._client.get(_path(oid))
        return isinstance(found, Fetched) and _holds(found.data, sound)

    def take(
        self, oid: str, cache: Objects, sound: Callable[[Path], bool]
    ) -> Literal["taken", "missing", "changed"]:
        """Download the object."""
        found = self._client.get(_path(oid))
        if not isinstance(found, Fetched):
            return "missing"
        with tempfile.NamedTemporaryFile(prefix="perennial-dvc-") as file:
            file.write(found.data)
            file.flush()
            return "taken" if cache.take(oid, Path(file.name), sound) else "changed"

    def put(self, oids: Iterable[str], cache: Objects) -> None:
        """Upload objects."""
        for oid in oids:
            self._client.put(_path(oid), cache.path(oid).read_bytes())

    def remove(self, oid: str) -> None:
        """Remove the object."""
        self._client.remove(_path(oid))

    def settle(self, oid: str) -> None:
        """Do nothing: what the endpoint confirmed, it keeps."""

    def remove_where(self, holds: Callable[[bytes], bool], keep: Collection[str]) -> set[str]:
        """Download and remove objects."""
        removed = set()
        for item in self._client.all(f"{DVC}/{LAYOUT}"):
            oid = "".join(item.name.split("/")[-2:])
            if oid.endswith(".dir") or oid in keep:
                continue
            found = self._client.get(item.name)
            if isinstance(found, Fetched) and holds(found.data):
                self._client.remove(item.name)
                removed.add(oid)
        return removed

    def sweep(self) -> None:
        """Do nothing: nobody sees a half-written object."""


class BucketHistory:
    """The bundles of the features' repository in the bucket."""

    def __init__(self, client: Client) -> None:
        """Use the client's bucket."""
        self._client = client

    def read(self, number: int) -> bytes | None:
        """Return a bundle; None before it was written."""
        found = self._client.get(f"{PARTS}/{number:0{DIGITS}d}")
        return found.data if isinstance(found, Fetched) else None

    def add(self, number: int, data: bytes) -> bool:
        """Write a bundle unless it is there; tell whether this call did.

        One whose answer was lost is known by the mark of its writer.
        """
        path, writer = f"{PARTS}/{number:0{DIGITS}d}", secrets.token_hex(16)
        if self._client.create(path, data, writer):
            return True
        found = self._client.get(path)
        return isinstance(found, Fetched) and found.writer == writer

    def newest_whole(self) -> tuple[int, bytes] | None:
        """Return the newest bundle that needs no other, and the number that it reaches to."""
        names = self._client.names(WHOLE)
        found = self._client.get(names[-1]) if names else None
        if not isinstance(found, Fetched):
            return None
        return int(names[-1].rpartition("/")[2]), found.data

    def add_whole(self, number: int, data: bytes) -> None:
        """Write a bundle that needs no other."""
        self._client.put(f"{WHOLE}/{number:0{DIGITS}d}", data)


def _path(oid: str) -> str:
    return f"{DVC}/{LAYOUT}/{oid[:2]}/{oid[2:]}"


def _holds(data: bytes, sound: Callable[[Path], bool]) -> bool:
    with tempfile.NamedTemporaryFile(prefix="perennial-dvc-") as file:
        file.write(data)
        file.flush()
        return sound(Path(file.name))
