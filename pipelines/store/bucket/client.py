"""Requests to a bucket: tried again with back-off, and their errors named.

A library (obstore, Rust's object_store) speaks with the endpoint. What it cannot know is done here:
that a write which "failed" because it had succeeded at its first try is a success.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PreconditionError,
)

from pipelines.store.bucket.failures import code_of, is_final, name_failure
from pipelines.store.bucket.services import FIRST_WAIT, SERVICES
from pipelines.store.port import StoredItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from pipelines.store.bucket.address import BucketAddress
    from pipelines.store.bucket.services import Right

PART_BYTES: Final = 8 * 1024 * 1024
"""An object that is larger is uploaded in parts of this size."""
PARTS_AT_ONCE: Final = 4
LONGEST_WAIT: Final = 5.0
"""Seconds between two tries."""

T = TypeVar("T")


class Fetched(NamedTuple):
    """What lies at a path, and the tag by which the endpoint knows this very content.

    `version` is its generation at Google, which writes over a generation and over no tag.
    """

    data: bytes
    tag: str
    writer: str
    version: str = ""


class Client:
    """One bucket, below one prefix. Safe among threads."""

    def __init__(self, address: BucketAddress) -> None:
        """Remember the address; the first request connects."""
        self.address = address
        self._service = SERVICES[address.scheme]
        self._store = self._service.open(address)

    def put(self, path: str, data: bytes | Path) -> str:
        """Write bytes, or a file's, over what was there; return the tag.

        What is large goes up in parts.
        """
        return self._try(
            "write",
            path,
            lambda: str(
                obstore.put(
                    self._store,
                    path,
                    data,
                    mode="overwrite",
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )["e_tag"]
            ),
        )

    def create(self, path: str, data: bytes, writer: str) -> bool:
        """Write in one piece where nothing is there; tell whether this call did not lose.

        `writer` stands beside the bytes, so that whoever finds the path taken can see whether an
        earlier try of the same call took it (`Fetched.writer`).
        """
        return self._put_if("create", path, data, writer)

    def replace(self, path: str, data: bytes, writer: str, found: Fetched) -> bool:
        """Write in one piece where what was found is still there; tell whether it was."""
        known = {"e_tag": found.tag} | ({"version": found.version} if found.version else {})
        return self._put_if(known, path, data, writer)

    def _put_if(
        self, mode: Literal["create"] | dict[str, str], path: str, data: bytes, writer: str
    ) -> bool:
        def put() -> bool:
            try:
                obstore.put(
                    self._store,
                    path,
                    data,
                    mode=mode,  # type: ignore[arg-type]
                    attributes={"writer": writer},
                    use_multipart=False,
                )
            except (AlreadyExistsError, PreconditionError):
                return False
            return True

        return self._try("write", path, put)

    def get(self, path: str, *, unless: str = "") -> Fetched | Literal["same"] | None:
        """Return what lies there, None where nothing does.

        Where it still has the tag `unless`, return "same" instead of the bytes.
        """

        def get() -> Fetched | Literal["same"] | None:
            try:
                found = obstore.get(
                    self._store, path, options={"if_none_match": unless} if unless else None
                )
                data = found.bytes().to_bytes()
            except NotModifiedError:
                return "same"
            except FileNotFoundError as error:
                if code_of(error) in self._service.missing:
                    raise
                return None
            tag, version = str(found.meta["e_tag"]), found.meta.get("version") or ""
            return Fetched(data, tag, found.attributes.get("writer", ""), version)

        return self._try("read", path, get)

    def find(self, path: str) -> StoredItem | None:
        """Return size and time of what lies there, None where nothing does."""

        def head() -> StoredItem | None:
            try:
                meta = obstore.head(self._store, path)
            except FileNotFoundError:
                return None
            return StoredItem(path, meta["size"], used_at(meta["last_modified"]))

        return self._try("read", path, head)

    def names(self, folder: str) -> list[str]:
        """Return the names directly below a folder, sorted."""
        found = self._try(
            "list",
            folder,
            lambda: obstore.list_with_delimiter(self._store, prefix=folder)["objects"],
        )
        return sorted(meta["path"] for meta in found)

    def all(self, folder: str) -> Iterator[StoredItem]:
        """Return what lies below a folder at any depth, sorted by name."""
        found = self._try(
            "list",
            folder,
            lambda: [meta for part in obstore.list(self._store, prefix=folder) for meta in part],
        )
        items = [StoredItem(m["path"], m["size"], used_at(m["last_modified"])) for m in found]
        return iter(sorted(items))

    def remove(self, path: str) -> None:
        """Remove what lies there, if anything does."""

        def delete() -> None:
            try:
                obstore.delete(self._store, path)
            except FileNotFoundError as error:
                if code_of(error) in self._service.missing:
                    raise

        self._try("remove", path, delete)

    def _try(self, right: Right, path: str, call: Callable[[], T]) -> T:
        """Return what the call returns; try again until the time is over, then name the error."""
        deadline = time.monotonic() + self.address.retry_seconds
        wait = FIRST_WAIT
        while True:
            try:
                return call()
            except (BaseError, OSError) as error:
                pause = wait * random.uniform(0.5, 1.5)  # noqa: S311
                if is_final(error) or time.monotonic() + pause > deadline:
                    raise name_failure(error, self.address, right, path) from None
            time.sleep(pause)
            wait = min(wait * 2, LONGEST_WAIT)


def used_at(moment: datetime) -> float:
    """Return the end of the second in which something was written, in seconds since 1970.

    Endpoints tell milliseconds in a listing and whole seconds elsewhere; so both say the same, and
    never too early.
    """
    return int(moment.timestamp()) + 1.0
