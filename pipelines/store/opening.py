"""Which store a URL names, and how it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.settings import local_path, scheme_of, without_password
from pipelines.store.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.store.port import Store


def _open_local(url: str) -> Store:
    return LocalStore(local_path(url))


STORES: dict[str, Callable[[str], Store]] = {
    "": _open_local,
    "file": _open_local,
    # Another store is a file beside local.py and its line here: "s3": open_s3,
}
"""How a store is opened, by its URL's scheme; a path has none."""


def open_store(url: str) -> Store:
    """Return the store that a path or a URL names; nothing is read or written yet.

    Raises RequestError for a scheme that no store has, and for a URL that its store refuses.
    """
    scheme = scheme_of(url)
    if scheme not in STORES:
        schemes = ", ".join(f"{name}://" for name in STORES if name)
        raise RequestError(
            f"{without_password(url)!r} names no store: nothing here opens {scheme}:// URLs.",
            remedy=f"name a folder's path, or a URL that begins with {schemes} (docs/settings.md).",
        )
    return STORES[scheme](url)
