"""Entries under the next number: several may be written at once, and none of them is lost.

The newest is the one with the highest number. The first writer of a number wins; the other one
takes the number after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipelines.errors import Corrupted

if TYPE_CHECKING:
    from pipelines.store.port import Store

DIGITS = 6


class NumberedEntry(NamedTuple):
    """An entry with a number, and whether it was written just now."""

    key: str
    number: int
    is_new: bool


def newest_numbered(store: Store, stem: str) -> NumberedEntry | None:
    """Return the newest entry whose key is the stem and a number; None before the first.

    The stem ends with what parts it from the number: `batches/sales/2024-01-01/`, or `…/window~`.
    """
    keys = [key for key in store.keys(stem.rpartition("/")[0]) if key.startswith(stem)]
    return NumberedEntry(keys[-1], int(keys[-1].removeprefix(stem)), is_new=False) if keys else None


def publish_next(store: Store, stem: str, data: bytes) -> NumberedEntry:
    """Make this the newest entry of the stem, under the next number.

    Where the newest is the same already, nothing is written. A damaged one is not the same.
    """
    newest = newest_numbered(store, stem)
    while True:
        if newest is not None and _is_same(store, newest.key, data):
            return newest
        number = newest.number + 1 if newest is not None else 1
        key = f"{stem}{number:0{DIGITS}d}"
        if store.publish(key, data):
            return NumberedEntry(key, number, is_new=True)
        # Another writer's. A bucket's listing may not have it yet, so nobody is asked again.
        newest = NumberedEntry(key, number, is_new=False)


def _is_same(store: Store, key: str, data: bytes) -> bool:
    try:
        return store.read(key) == data
    except Corrupted:
        return False
