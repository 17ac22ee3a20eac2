"""A ledger whose reads are held against what this host has checked of its chain before.

The first question checks the whole chain, later ones what has come since: a long ledger answers as
fast as a short one. What an answer is made of must be what was checked, entry by entry, none
missing and none more. Where it is not, the whole chain is checked, and what was touched is named.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from pipelines.errors import Corrupted
from pipelines.ledger.checked_index import Checked, CheckedIndex, Place
from pipelines.ledger.port import Champion, Head, champion_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from pipelines.ledger.decision import Decision
    from pipelines.ledger.entries import Crown, Kind
    from pipelines.ledger.port import Columns, Entry, Ledger, Note

    T = TypeVar("T")

_log = logging.getLogger("perennial")


class CheckedLedger:
    """Reads of a ledger, each proven; what is written goes to the ledger as it is."""

    def __init__(self, ledger: Ledger, file: Path) -> None:
        """Use this ledger, and this file for what was checked of it (see `CheckedIndex`)."""
        self._ledger = ledger
        self._index = CheckedIndex(file)

    def check(self) -> int:
        """Check what was not checked yet, and return how many entries there are.

        Where what was checked is not in the ledger any more, or the file cannot be used, the whole
        chain is checked. Raises Corrupted naming the first entry that was touched or is missing.
        """
        try:
            before = self._index.head()
            if before.seq == 0:
                return self._check_all()
            with self._index.adding(before) as add:
                return self._ledger.verify(before, lambda row: add(_checked(row)))
        except (Corrupted, sqlite3.Error, OSError):
            return self._check_all()

    def _check_all(self) -> int:
        """Check the whole chain, and remember it as far as that can be."""
        try:
            with self._index.adding(Head()) as add:
                return self._ledger.verify(None, lambda row: add(_checked(row)))
        except sqlite3.OperationalError as error:  # another one writes, or nobody may
            _log.debug("what was checked of the ledger is not remembered: %s", error)
        except sqlite3.DatabaseError:
            self._index.forget()
        except OSError as error:
            _log.debug("what was checked of the ledger is not remembered: %s", error)
        return self._ledger.verify()

    def find(self, model: str, kind: Kind, key: str) -> Entry | None:
        """Return the decision with this key, or None."""
        return self._proven(
            lambda: self._ledger.find(model, kind, key),
            lambda: _listed(self._index.find(model, kind, key)),
            _listed,
        )

    def at(self, seq: int) -> Entry | None:
        """Return the entry with this number, or None."""
        return self._proven(
            lambda: self._ledger.at(seq), lambda: _listed(self._index.at(seq)), _listed
        )

    def entries(
        self, model: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Return entries oldest first; with `limit`, the newest of them."""
        return self._proven(
            lambda: self._ledger.entries(model, kind, limit),
            lambda: self._index.places(model, kind, limit),
            _places,
        )

    def newest(self, models: Sequence[str], kinds: Sequence[Kind]) -> list[Entry]:
        """Return the newest entry of each of these models and kinds, oldest first."""
        return self._proven(
            lambda: self._ledger.newest(models, kinds),
            lambda: self._index.newest(models, kinds),
            _places,
        )

    def since(self, models: Sequence[str], kinds: Sequence[Kind], moment: datetime) -> list[Entry]:
        """Return the entries of these models and kinds from a moment on, oldest first.

        Proven are those that it returns, and that none is missing between them.
        """
        found: list[Entry] = []

        def read() -> list[Entry]:
            found[:] = self._ledger.since(models, kinds, moment)
            return found

        def known() -> list[Place]:
            return self._index.following(models, kinds, found[0].seq) if found else []

        proven: list[Entry] = self._proven(read, known, _places)
        return proven

    def champion(self, model: str) -> Champion | None:
        """Return who serves now, or None before the first deployment."""
        return champion_of(next(iter(self.entries(model, "champion", limit=1)), None))

    def walk(self, model: str | None = None) -> Iterator[Entry]:
        """Yield entries oldest first. Their whole chain is checked before."""
        self._ledger.verify()
        yield from self._ledger.walk(model)

    def append(self, model: str, key: str, decision: Decision) -> Entry:
        """Add a decision once."""
        return self._ledger.append(model, key, decision)

    def append_many(self, model: str, decisions: Sequence[tuple[str, Decision]]) -> list[Entry]:
        """Add decisions, all of them or none."""
        return self._ledger.append_many(model, decisions)

    def crown(self, model: str, *, expected: str | None, champion: Crown, key: str) -> Entry:
        """Make a version the champion if `expected` still is."""
        return self._ledger.crown(model, expected=expected, champion=champion, key=key)

    def turn(self, what: str) -> AbstractContextManager[bool]:
        """Have the turn `what`, or not."""
        return self._ledger.turn(what)

    def verify(self, after: Head | None = None, note: Note | None = None) -> int:
        """Check the whole chain and return its length, whatever was checked before."""
        return self._ledger.verify(after, note)

    def _proven(
        self,
        read: Callable[[], T],
        known: Callable[[], list[Place]],
        places: Callable[[T], list[Place]],
    ) -> T:
        """Return what is read, if it is what was checked.

        Else something was written in between, or touched: checked is what is new, then all.
        """
        for check in (None, self.check, self._check_all):
            if check is not None:
                check()
            try:
                found = read()
            except Corrupted:
                self._check_all()
                raise
            try:
                if places(found) == known():
                    return found
            except (sqlite3.Error, OSError):  # nothing is remembered here
                self._check_all()
                return found
        raise Corrupted(
            "The ledger gives another answer than its checked chain.",
            remedy="run again; if it stays so, `perennial verify` and `perennial doctor`.",
        )


def _places(entries: list[Entry]) -> list[Place]:
    return [Place(entry.seq, entry.hash) for entry in entries]


def _listed(found: Entry | Place | None) -> list[Place]:
    return [] if found is None else [Place(found.seq, found.hash)]


def _checked(row: Columns) -> Checked:
    seq, _, model, kind, key, _, _, own = row
    return Checked(seq, model, kind, key, own)
