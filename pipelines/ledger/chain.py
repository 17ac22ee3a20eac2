"""The chain: what an entry's hash is made of, and where a chain is broken.

The hash of an entry is the SHA-256 of one text: the canonical JSON of all its other columns. Of a
stored entry that text is put together from the columns as they stand there, so that what is hashed
is what is stored. No two entries give the same text: all columns but the body are JSON strings in
it, in which no quote stands alone, and the body is what is left between them.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring as quote
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.ledger.entries import KINDS
from pipelines.ledger.port import GENESIS, Entry, Head
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pipelines.ledger.decision import Decision
    from pipelines.ledger.port import Columns, Note


class StoredEntry(NamedTuple):
    """An entry as its columns stand in a database: texts, `body` the canonical JSON."""

    seq: int
    at: str
    model: str
    kind: str
    key: str
    body: str
    previous: str
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> StoredEntry:
        """Return an entry as it is stored."""
        return cls(
            seq=entry.seq,
            at=iso(entry.at),
            model=entry.model,
            kind=entry.kind,
            key=entry.key,
            body=canonical(entry.body).decode(),
            previous=entry.previous,
            hash=entry.hash,
        )

    def own_hash(self) -> str:
        """Return the hash of all other columns."""
        return _hash(*self[:7])


def entry_hash(entry: Entry) -> str:
    """Return the hash that chains an entry to the one before: what it has unless it was touched.

    SHA-256 of the canonical JSON of all else, `previous` included.
    """
    return StoredEntry.of(entry).own_hash()


def _hash(seq: int, at: str, model: str, kind: str, key: str, body: str, previous: str) -> str:
    """Return the hash of these columns. Raises TypeError where one that is quoted is no text."""
    text = (
        f'{{"at":{quote(at)},"body":{body},"key":{quote(key)},"kind":{quote(kind)},'
        f'"model":{quote(model)},"previous":{quote(previous)},"seq":{seq}}}'
    )
    return sha256(text.encode())


def chain_entry(head: Head, *, at: datetime, model: str, key: str, decision: Decision) -> Entry:
    """Return the entry that follows `head`, as `chain_stored` does."""
    return chain_stored(head, at=at, model=model, key=key, decision=decision)[0]


def chain_stored(
    head: Head, *, at: datetime, model: str, key: str, decision: Decision
) -> tuple[Entry, StoredEntry]:
    """Return the entry that follows `head`, its body as it reads back from JSON, and its columns.

    Raises RequestError where the decision is of no known kind, is not plain JSON (NaN and infinity
    are not), or another field has the wrong form.
    """
    name = f"The decision ({model!r}, {decision.kind!r}, {key!r})"
    if decision.kind not in KINDS:
        raise RequestError(f"{name} cannot be recorded: its kind is not known.")
    try:
        plain = json.loads(canonical(decision.body()))
        fields = {
            "seq": head.seq + 1,
            "at": at,
            "model": model,
            "kind": decision.kind,
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
    draft = StoredEntry.of(entry)
    stored = draft._replace(hash=draft.own_hash())
    return entry.model_copy(update={"hash": stored.hash}), stored


def first_break(entries: Iterable[Entry], head: Head | None = None) -> int | None:
    """Return the sequence number of the first entry that was touched or is missing, or None.

    `entries` come in the order of their numbers. With the remembered `head` missing and rewritten
    newest entries are seen too. Whoever rewrites an entry, all that follow and the head leaves a
    chain that is whole: a hash chain shows that the record was touched, not that its host can be
    trusted. For that there is an anchor (pipelines/ledger/anchors.py).
    """
    return first_stored_break((StoredEntry.of(entry) for entry in entries), head)


def first_stored_break(
    rows: Iterable[Columns],
    head: Head | None = None,
    after: Head | None = None,
    note: Note | None = None,
) -> int | None:
    """Return what `first_break` does, of entries as a database holds them.

    `rows` are like StoredEntry; a column that was given another type is a touched one. They follow
    the entry `after`, which was checked before (None: they are all). `note` is told of each that is
    whole and in its place.
    """
    previous, seq = (after.hash, after.seq + 1) if after else (GENESIS, 1)
    for row in rows:
        number, at, model, kind, key, body, before, own = row
        try:
            is_whole = number == seq and own == _hash(seq, at, model, kind, key, body, before)
        except TypeError:
            return seq
        if not is_whole:
            return seq
        if before != previous:  # this entry is whole, so the one before was written anew
            return max(seq - 1, 1)
        if note is not None:
            note(row)
        previous, seq = own, seq + 1
    if head is None or (head.seq, head.hash) == (seq - 1, previous):
        return None
    return head.seq if head.seq == seq - 1 else min(head.seq + 1, seq)
