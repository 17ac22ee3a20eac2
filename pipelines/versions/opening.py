"""Which remote the features have, by the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.store.bucket.address import bucket_address
from pipelines.versions.remote import FolderRemote

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.versions.remote import Remote


def remote_of(settings: Settings) -> Remote:
    """Return the remote that the settings name: in the bucket where the store is in one.

    Raises RequestError as `bucket_address`.
    """
    if not settings.has_bucket:
        return FolderRemote(settings.versions.resolve() / "remote")
    # The library is loaded where a bucket is used, and nowhere else
    from pipelines.versions.bucket_remote import BucketRemote

    return BucketRemote(bucket_address(settings.store, settings))
