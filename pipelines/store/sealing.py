"""How the store keeps an entry.

One line with the SHA-256 of what follows, then the entry's own bytes.

Stored format, version 1: `perennial-entry 1 <SHA-256 in hex>`, a newline, the bytes. The line comes
first, so that an entry that was cut anywhere is told from a whole one. Older entries have no such
line: they are canonical JSON and are read as they are. To evolve it: raise the number in MARK and
let `unseal` know both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError

from pipelines.errors import Corrupted
from pipelines.refs import Value, canonical, sha256

if TYPE_CHECKING:
    from pipelines.store.port import Store

V = TypeVar("V", bound=Value)

MARK: Final = b"perennial-entry 1 "
_DIGEST = 64
_REMEDY = "restore the entry from a backup (docs/operate.md, Damage)."


def seal(data: bytes) -> bytes:
    """Return the bytes of an entry's file."""
    return b"%s%s\n%s" % (MARK, sha256(data).encode(), data)


def unseal(key: str, raw: bytes) -> bytes:
    """Return the entry that a file holds.

    Raises Corrupted, naming the key, unless it is what was written.
    """
    if not raw.startswith(MARK):
        return _without_line(key, raw)
    data = raw[len(MARK) + _DIGEST + 1 :]
    if seal(data) != raw:
        raise Corrupted(
            f"The entry {key} was changed or cut off: its checksum is wrong.", remedy=_REMEDY
        )
    return data


def read_entry(store: Store, key: str, kind: type[V]) -> V | None:
    """Return the entry as a value, or None where it is not there.

    Raises Corrupted where it was changed or is no such value.
    """
    data = store.read(key)
    if data is None:
        return None
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise Corrupted(
            f"The entry {key} is no {kind.__name__}: {error.error_count()} fields are wrong.",
            remedy=_REMEDY,
        ) from error


def _without_line(key: str, raw: bytes) -> bytes:
    """Return an older entry: its JSON must be the very text that was written then."""
    try:
        same = canonical(json.loads(raw)) == raw
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise Corrupted(
            f"The entry {key} was changed or cut off: it is no entry of a store.", remedy=_REMEDY
        )
    return raw
