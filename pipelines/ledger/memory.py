"""A ledger in memory, for tests: the same promises as the one in SQL."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.errors import Corrupted
from pipelines.ledger.chain import StoredEntry, chain_entry, first_stored_break
from pipelines.ledger.port import GENESIS, Champion, Entry, Head, champion_of, expect_champion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipelines.ledger.decision import Decision
    from pipelines.ledger.entries import Crown, Kind
    from pipelines.ledger.port import Note


def utc_now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


class MemoryLedger:
    """Entries in a list, under one lock."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        """Start empty; `now` is the clock (aware datetimes)."""
        self._now = now
        self._lock = threading.RLock()
        self._entries: list[Entry] = []
        self._head = Head()
        self._turns: dict[str, threading.Lock] = {}

    def append(self, model: str, key: str, decision: Decision) -> Entry:
        """Add a decision once."""
        return self.append_many(model, [(key, decision)])[0]

    def append_many(self, model: str, decisions: Sequence[tuple[str, Decision]]) -> list[Entry]:
        """Add decisions, all of them or none."""
        with self._lock:
            before, head, found = len(self._entries), self._head, []
            try:
                for key, decision in decisions:
                    found.append(self._append(model, key, decision))
            except BaseException:
                del self._entries[before:]
                self._head = head
                raise
            return _copies(found)

    def _append(self, model: str, key: str, decision: Decision) -> Entry:
        entry = self._find_entry(model, decision.kind, key)
        if entry is None:
            entry = chain_entry(self._head, at=self._now(), model=model, key=key, decision=decision)
            self._entries.append(entry)
            self._head = Head(seq=entry.seq, hash=entry.hash)
        return entry

    def find(self, model: str, kind: Kind, key: str) -> Entry | None:
        """Return the decision with this key, or None."""
        with self._lock:
            entry = self._find_entry(model, kind, key)
        return entry.model_copy(deep=True) if entry else None

    def _find_entry(self, model: str, kind: str, key: str) -> Entry | None:
        same = (e for e in self._entries if (e.model, e.kind, e.key) == (model, kind, key))
        return next(same, None)

    def at(self, seq: int) -> Entry | None:
        """Return the entry with this number, or None."""
        with self._lock:
            return (
                self._entries[seq - 1].model_copy(deep=True)
                if 0 < seq <= len(self._entries)
                else None
            )

    def entries(
        self, model: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Return entries oldest first; with `limit`, the newest of them."""
        with self._lock:
            selection = [
                e for e in self._entries if model in {None, e.model} and kind in {None, e.kind}
            ]
            begin = 0 if limit is None else max(len(selection) - max(limit, 0), 0)
            return _copies(selection[begin:])

    def newest(self, models: Sequence[str], kinds: Sequence[Kind]) -> list[Entry]:
        """Return the newest entry of each of these models and kinds, oldest first."""
        names, wanted = frozenset(models), frozenset(kinds)
        with self._lock:
            found = {
                (e.model, e.kind): e for e in self._entries if e.kind in wanted and e.model in names
            }
            return _copies(sorted(found.values(), key=lambda e: e.seq))

    def since(self, models: Sequence[str], kinds: Sequence[Kind], moment: datetime) -> list[Entry]:
        """Return the entries of these models and kinds from a moment on, oldest first."""
        names, wanted = frozenset(models), frozenset(kinds)
        with self._lock:
            return _copies(
                e for e in self._entries if e.at >= moment and e.kind in wanted and e.model in names
            )

    def walk(self, model: str | None = None) -> Iterator[Entry]:
        """Yield entries oldest first."""
        yield from self.entries(model)

    def champion(self, model: str) -> Champion | None:
        """Return who serves now."""
        newest = self.entries(model, "champion", limit=1)
        return champion_of(newest[0] if newest else None)

    def crown(self, model: str, *, expected: str | None, champion: Crown, key: str) -> Entry:
        """Make a version the champion if `expected` still is."""
        with self._lock:
            if self._find_entry(model, "champion", key) is None:
                expect_champion(model, self.champion(model), expected)
            return self.append(model, key, champion)

    @contextlib.contextmanager
    def turn(self, what: str) -> Iterator[bool]:
        """Have the turn `what`, or not."""
        with self._lock:
            lock = self._turns.setdefault(what, threading.Lock())
        is_ours = lock.acquire(blocking=False)
        try:
            yield is_ours
        finally:
            if is_ours:
                lock.release()

    def verify(self, after: Head | None = None, note: Note | None = None) -> int:
        """Check the whole chain, or what follows `after`, and return its length."""
        start = after.seq if after else 0
        with self._lock:
            known = self._entries[start - 1].hash if 0 < start <= len(self._entries) else GENESIS
            if after and start and known != after.hash:
                raise Corrupted(f"Entry {start} of the ledger is another one.")
            rows = (StoredEntry.of(entry) for entry in self._entries[start:])
            place = first_stored_break(rows, self._head, after, note)
            if place is not None:
                raise Corrupted(f"Entry {place} of the ledger was touched.")
            return self._head.seq


def _copies(entries: Iterable[Entry]) -> list[Entry]:
    """Return what callers may change; of a long ledger, copies take longer than the search."""
    return [entry.model_copy(deep=True) for entry in entries]
