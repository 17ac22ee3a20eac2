"""The part of a backup that lies in a bucket: all below the store's prefix, but what is made again.

Left out are logs of Airflow's tasks and what a probe writes for a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipelines.plurals import how_many
from pipelines.store.bucket.address import ARTIFACTS, bucket_address
from pipelines.store.bucket.client import Client, Fetched
from pipelines.store.local import LocalStore
from pipelines.store.port import KEYS, OBJECTS, SEGMENTS
from pipelines.versions.bucket_remote import DVC, HISTORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.ops.backup.archive import Writer
    from pipelines.settings import Settings

NAME: Final = "bucket"
"""The folder in a backup."""
FOLDERS: Final = (SEGMENTS, KEYS, HISTORY, DVC, ARTIFACTS, OBJECTS)
"""In the order in which they can be copied while everything runs: what names something comes before
what it names. They are put back the other way round."""
_SAY_EVERY = 1_000


class StoredBucket:
    """The bucket of the settings' store, as a backup sees it."""

    def __init__(self, settings: Settings) -> None:
        """Remember the bucket, and where this host keeps segments that it has not sent."""
        self.address = bucket_address(settings.store, settings)
        self._client = Client(self.address)
        self._near = LocalStore(settings.store_folder)

    def is_filled(self) -> bool:
        """Tell whether there is anything that a restore would put there."""
        return any(next(iter(self._client.all(folder)), None) for folder in FOLDERS)

    def copy(self, writer: Writer, say: Callable[[str], None]) -> None:
        """Add everything to a backup; this host's own segments up to their last whole line."""
        near = self._near.near_segments()
        for name in near:
            data = self._near.read_segment(name) or b""
            writer.add_bytes(f"{NAME}/{SEGMENTS}/{name}", data[: data.rfind(b"\n") + 1])
        for folder in FOLDERS:
            own = {f"{SEGMENTS}/{name}" for name in near} if folder == SEGMENTS else set()
            files, before = len(own), writer.bytes
            for item in self._client.all(folder):
                if item.name in own:
                    continue
                found = self._client.get(item.name)
                if not isinstance(found, Fetched):
                    continue  # removed since it was listed: what takes its place comes later
                writer.add_bytes(f"{NAME}/{item.name}", found.data)
                files += 1
                if files % _SAY_EVERY == 0:
                    say(f"{NAME}/{folder}: {files:,} files so far")
            if files:
                megabytes = (writer.bytes - before) / 1e6
                say(f"{NAME}/{folder}: {how_many(files, 'file')}, {megabytes:,.1f} MB")

    def fill(self, draft: Path, say: Callable[[str], None]) -> None:
        """Put back what a backup held, as it was unpacked in a folder."""
        for folder in reversed(FOLDERS):
            paths = sorted(path for path in (draft / folder).rglob("*") if path.is_file())
            for number, path in enumerate(paths, 1):
                self._client.put(path.relative_to(draft).as_posix(), path)
                if number % _SAY_EVERY == 0:
                    say(f"{NAME}/{folder}: {number:,} of {len(paths):,} files so far")
            if paths:
                say(f"{NAME}/{folder}: in place")


def stored_bucket(settings: Settings) -> StoredBucket | None:
    """Return the bucket of the settings' store; None where it is a folder."""
    return StoredBucket(settings) if settings.has_bucket else None
