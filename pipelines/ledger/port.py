"""What a ledger promises, and the pure rules that both its implementations follow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import StringConstraints, ValidationError

from pipelines.errors import Conflict, RequestError
from pipelines.intervals import Moment, iso
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import Name, Ref, Sha256, Value, canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable

GENESIS = "0" * 64
"""The previous hash of the first entry."""

_CROWNED = ("version", "bundle", "release")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Kind = Literal[
    "quarantine",
    "verdict",
    "release",
    "release_refused",
    "champion",
    "reconciled",
    "drift",
    "retrain_request",
    "retrain_held",
    "outcome",
]


class Entry(Value):
    """One decision. `key` makes it happen at most once: (model, kind, key) is unique."""

    seq: int
    at: Moment
    model: Name
    kind: Kind
    key: Key
    body: dict[str, Any]
    previous: Sha256
    hash: Sha256


class Head(Value):
    """The newest entry's number and hash; (0, GENESIS) of an empty ledger."""

    seq: int = 0
    hash: Sha256 = GENESIS


class Champion(Value):
    """Who serves: version of the registry, its bundle's manifest, the release that brought it, and
    since when.
    """

    version: str
    bundle: Ref
    release: int
    since: Moment


class Ledger(Protocol):
    """The record of decisions; it can only grow."""

    def append(self, model: str, kind: Kind, key: str, body: dict[str, Any]) -> Entry:
        """Add a decision once: with a key that is there already, return that entry and change
        nothing.
        """
        ...

    def find(self, model: str, kind: Kind, key: str) -> Entry | None:
        """Return the decision with this key, or None."""
        ...

    def at(self, seq: int) -> Entry | None:
        """Return the entry with this number (the first is 1), or None."""
        ...

    def entries(
        self, model: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Return entries oldest first; with `limit`, the newest `limit` of them."""
        ...

    def champion(self, model: str) -> Champion | None:
        """Return who serves now, or None before the first deployment."""
        ...

    def crown(
        self, model: str, *, expected: str | None, champion: dict[str, Any], key: str
    ) -> Entry:
        """Make a version the champion if `expected` (a version, or None) still is: compare-and-set.

        `champion` holds version, bundle and release. A key that is there already returns its entry.
        Raises Conflict, naming both versions, when somebody else was faster.
        """
        ...

    def verify(self) -> int:
        """Check the whole chain and return its length.

        Raises Corrupted naming the first entry that was touched or is missing.
        """
        ...


def entry_hash(
    *, seq: int, at: datetime, model: str, kind: str, key: str, body: dict[str, Any], previous: str
) -> str:
    """Return the hash that chains an entry to the one before.

    SHA-256 of its canonical JSON, `previous` included.
    """
    fields = {
        "seq": seq,
        "at": iso(at),
        "model": model,
        "kind": kind,
        "key": key,
        "body": body,
        "previous": previous,
    }
    return sha256(canonical(fields))


def chained(
    head: Head, *, at: datetime, model: str, kind: str, key: str, body: dict[str, Any]
) -> Entry:
    """Return the entry that follows `head`, its body as it reads back from JSON.

    Raises RequestError where the body is not plain JSON (NaN and infinity are not) or another field
    has the wrong form.
    """
    name = f"The decision ({model!r}, {kind!r}, {key!r})"
    try:
        plain = json.loads(canonical(body))
        fields = {
            "seq": head.seq + 1,
            "at": at,
            "model": model,
            "kind": kind,
            "key": key,
            "body": plain,
            "previous": head.hash,
        }
        entry = Entry.model_validate({**fields, "hash": GENESIS})
    except ValidationError as error:
        raise RequestError(
            f"{name} cannot be recorded: {in_one_line(problems(error, None, Entry))}"
        ) from error
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"{name} cannot be recorded: its body is not plain JSON ({error})."
        ) from error
    own = entry_hash(
        seq=entry.seq, at=entry.at, model=model, kind=kind, key=key, body=plain, previous=head.hash
    )
    return entry.model_copy(update={"hash": own})


def first_break(entries: Iterable[Entry], head: Head | None = None) -> int | None:
    """Return the sequence number of the first entry that was touched or is missing, or None.

    `entries` come in the order of their numbers. With the remembered `head` missing and rewritten
    newest entries are seen too. Whoever rewrites an entry, all that follow and the head leaves a
    chain that is whole: a hash chain shows that the record was touched, not that its host can be
    trusted. For that there is an anchor (pipelines/ledger/anchors.py).
    """
    previous, expected = GENESIS, 1
    for e in entries:
        own = entry_hash(
            seq=e.seq,
            at=e.at,
            model=e.model,
            kind=e.kind,
            key=e.key,
            body=e.body,
            previous=e.previous,
        )
        if e.seq != expected or e.hash != own:
            return expected
        if (
            e.previous != previous
        ):  # this entry is whole, so the one before was written anew with a hash to match
            return max(expected - 1, 1)
        previous, expected = e.hash, expected + 1
    if head is None or (head.seq, head.hash) == (expected - 1, previous):
        return None
    return head.seq if head.seq == expected - 1 else min(head.seq + 1, expected)


def plain_champion(champion: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a `champion` entry.

    Raises RequestError where version, bundle or release are missing or wrong.
    """
    try:
        known = Champion.model_validate({**{k: champion.get(k) for k in _CROWNED}, "since": _EPOCH})
    except ValidationError as error:
        raise RequestError(
            f"This is no champion: {in_one_line(problems(error, None, Champion))}"
        ) from error
    return {**champion, **known.model_dump(mode="json", include=set(_CROWNED))}


def expect_champion(model: str, current: Champion | None, expected: str | None) -> None:
    """Raise Conflict, naming both, unless the current champion is the expected version (None: there
    is none yet).
    """
    found = current.version if current else None
    if found != expected:
        message = (
            f"The champion of {model} is {found or 'nobody'}, not {expected or 'nobody'} as"
            " expected."
        )
        raise Conflict(
            message, remedy="judge the challenger anew against the champion that serves now."
        )


def champion_of(entry: Entry | None) -> Champion | None:
    """Return the champion that a `champion` entry crowned."""
    if entry is None:
        return None
    return Champion.model_validate({**{k: entry.body[k] for k in _CROWNED}, "since": entry.at})
