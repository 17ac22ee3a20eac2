"""What a ledger promises, and the pure rules that both its implementations follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipelines.intervals import Moment, iso
from pipelines.refs import Name, Ref, Sha256, Value, canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

GENESIS = "0" * 64
"""The previous hash of the first entry."""

Kind = Literal["quarantine", "verdict", "release", "release_refused", "champion", "reconciled"]


class Entry(Value):
    """One decision. `key` makes it happen at most once: (model, kind, key) is unique."""

    seq: int
    at: Moment
    model: Name
    kind: Kind
    key: str
    body: dict[str, Any]
    previous: Sha256
    hash: Sha256


class Champion(Value):
    """Who serves: version of the registry, its bundle's manifest, the release that brought it, and since when."""

    version: str
    bundle: Ref
    release: int
    since: Moment


class Ledger(Protocol):
    """The record of decisions; it can only grow."""

    def append(self, model: str, kind: Kind, key: str, body: dict[str, Any]) -> Entry:
        """Add a decision once: with a key that is there already, return that entry and change nothing."""
        ...

    def find(self, model: str, kind: Kind, key: str) -> Entry | None:
        """Return the decision with this key, or None."""
        ...

    def entries(self, model: str | None = None, kind: Kind | None = None, limit: int | None = None) -> list[Entry]:
        """Return entries oldest first; with `limit`, the newest `limit` of them."""
        ...

    def champion(self, model: str) -> Champion | None:
        """Return who serves now, or None before the first deployment."""
        ...

    def crown(self, model: str, *, expected: str | None, champion: dict[str, Any], key: str) -> Entry:
        """Make a version the champion if `expected` (a version, or None) still is: compare-and-set.

        `champion` holds version, bundle and release. A key that is there already returns its entry. Raises Conflict,
        naming both versions, when somebody else was faster.
        """
        ...

    def verify(self) -> int:
        """Check the whole chain and return its length. Raises Corrupted naming the first entry that was touched."""
        ...


def entry_hash(*, seq: int, at: datetime, model: str, kind: str, key: str, body: dict[str, Any], previous: str) -> str:
    """Return the hash that chains an entry to the one before: SHA-256 of its canonical JSON, `previous` included."""
    fields = {"seq": seq, "at": iso(at), "model": model, "kind": kind, "key": key, "body": body, "previous": previous}
    return sha256(canonical(fields))


def first_break(entries: Iterable[Entry]) -> int | None:
    """Return the sequence number of the first entry that breaks the chain, or None."""
    previous, expected = GENESIS, 1
    for e in entries:
        own = entry_hash(seq=e.seq, at=e.at, model=e.model, kind=e.kind, key=e.key, body=e.body, previous=e.previous)
        if e.seq != expected or e.previous != previous or e.hash != own:
            return e.seq
        previous, expected = e.hash, expected + 1
    return None


def champion_of(entry: Entry | None) -> Champion | None:
    """Return the champion that a `champion` entry crowned."""
    if entry is None:
        return None
    return Champion.model_validate({**{k: entry.body[k] for k in ("version", "bundle", "release")}, "since": entry.at})
