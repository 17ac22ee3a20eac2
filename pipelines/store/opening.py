"""Which store a URL names, and how it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.settings import load_settings, local_path, scheme_of, without_password
from pipelines.store.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings
    from pipelines.store.port import Store


def _open_local(url: str, _: Settings | None) -> Store:
    return LocalStore(local_path(url))


def _open_bucket(url: str, settings: Settings | None) -> Store:
    # The library is loaded where a bucket is used, and nowhere else
    from pipelines.store.bucket.address import bucket_address
    from pipelines.store.bucket.store import BucketStore

    settings = settings or load_settings()
    address = bucket_address(url, settings)
    return BucketStore(address, settings.store_folder, settings.store_cache_bytes)


STORES: dict[str, Callable[[str, Settings | None], Store]] = {
    "": _open_local,
    "file": _open_local,
    "s3": _open_bucket,
    "az": _open_bucket,
    "gs": _open_bucket,
    # Another store is a file beside local.py and its line here: "hdfs": open_hdfs,
}
"""How a store is opened, by its URL's scheme; a path has none."""


def open_store(url: str, settings: Settings | None = None) -> Store:
    """Return the store that a path or a URL names; nothing is read or written yet.

    A bucket's endpoint, credentials and cache are those of the settings, by default those of the
    environment. Raises RequestError for a scheme that no store has, and for a URL that its store
    refuses.
    """
    scheme = scheme_of(url)
    if scheme not in STORES:
        schemes = ", ".join(f"{name}://" for name in STORES if name)
        raise RequestError(
            f"{without_password(url)!r} names no store: nothing here opens {scheme}:// URLs.",
            remedy=f"name a folder's path, or a URL that begins with {schemes} (docs/settings.md).",
        )
    return STORES[scheme](url, settings)
