"""Which rows were predicted, and which of them have a label already.

A SQLite file made from the inference log alone.

The log is the truth. The index remembers how far it has read each segment and goes on from there;
where it is missing, damaged or of another version, it is made anew. So a crash at any moment, or a
deleted file, loses nothing. A lock beside the file lets one process in at a time: of two that bring
the same label, one writes it.

Of a far store a host reads what it answered itself, and what others have sent and nobody has
rotated; of a near one all that its image can read. Rows beyond that it does not know, and a label
for one is written down unchecked: it counts where a row is found, when labels are joined to rows.

Stored format, version 2 (`PRAGMA user_version`). To evolve it: raise FORMAT; every index is then
made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pipelines.inference_log.format import identity
from pipelines.inference_log.index_file import IndexFile
from pipelines.inference_log.label_index_update import IndexUpdate

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from pipelines.settings import Settings
    from pipelines.store.port import Store

FORMAT: Final = 2
Outcome = Literal["accepted", "unchecked", "repeated", "contradicting", "unknown", "ambiguous"]

_TABLES = """
CREATE TABLE sources (
    name TEXT PRIMARY KEY, read INTEGER NOT NULL, state INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE requests (
    model TEXT, request_id TEXT, row INTEGER, key TEXT, several INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (model, request_id, row)
) WITHOUT ROWID;
CREATE TABLE keys (model TEXT, key TEXT, PRIMARY KEY (model, key)) WITHOUT ROWID;
CREATE TABLE labels (model TEXT, identity TEXT, label, PRIMARY KEY (model, identity)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class NewLabel:
    """A label that somebody brings for one row.

    The row is known by its `key`, or else by its request and its place there.
    """

    label: float | str
    key: str | None = None
    request_id: str = ""
    row: int = 0


class Index:
    """The index of all models of one store.

    Every call opens and closes the file, so that a deleted one is noticed.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        """Use the file `<state>/serving/feedback.db`; it is made when it is first needed."""
        self.path = settings.state / "serving" / "feedback.db"
        self._store = store
        patience = settings.lock_timeout_seconds
        self.file = IndexFile(self.path, "inference log", FORMAT, _TABLES, patience)

    def catch_up(self, model: str) -> None:
        """Read what the model's log holds and the index has not read yet.

        Raises Busy where others hold the index too long, Corrupted where rotated rows that it has
        not seen cannot be read.
        """
        with self.file.hold() as db:
            IndexUpdate(db, self._store, model).run()

    def prepare_rotation(self, model: str) -> None:
        """Read what is about to be rotated, where a server needs it: what it cannot read then are
        rotated rows.

        Of a far store each host reads its own segments before it sends them (`serving.log`), and
        needs no others. Whoever rotates there may be a host that serves nothing, or one that has
        not sent all of its own: those it rotates too. Raises as `catch_up` does.
        """
        if not self._store.is_far:
            self.catch_up(model)
        elif any(name.startswith(f"inference/{model}/") for name in self._store.near_segments()):
            self.catch_up_near(model)

    def catch_up_near(self, model: str) -> None:
        """Read what this host's segments hold and the index has not read yet. Raises Busy."""
        with self.file.hold() as db:
            IndexUpdate(db, self._store, model).run_near()

    def accept(
        self,
        model: str,
        labels: Sequence[NewLabel],
        write: Callable[[list[tuple[str, float | str]]], None],
    ) -> list[Outcome]:
        """Return what becomes of each label, in order.

        `write` gets the accepted and the unchecked ones by identity, once, and puts them on the
        disk.

        A far store is asked only about rows that this host does not know, and never for what was
        rotated: a request cannot wait until a log of years is read. What `write` raises is raised,
        and then nothing was accepted. Raises as `catch_up` does.
        """
        with self.file.hold() as db:
            update = IndexUpdate(db, self._store, model)
            if self._store.is_far:
                update.run_near()
                knows_all = _knows(db, model, labels) or update.run_sent()
            else:
                knows_all = update.run()
            outcomes, new = _judge(db, model, labels, knows_all=knows_all)
            if new:
                write(list(new.items()))
                db.executemany(
                    "INSERT OR IGNORE INTO labels VALUES (?, ?, ?)",
                    ((model, i, label) for i, label in new.items()),
                )
            return outcomes


def _knows(db: sqlite3.Connection, model: str, labels: Sequence[NewLabel]) -> bool:
    """Tell whether the index knows the row of each label."""
    return all(_identity(db, model, label) is not None for label in labels)


def _judge(
    db: sqlite3.Connection, model: str, labels: Sequence[NewLabel], *, knows_all: bool
) -> tuple[list[Outcome], dict[str, float | str]]:
    """Return what becomes of each label, and the new ones by identity.

    A second one in the same request counts as repeated. Unless the index `knows_all` rows, a label
    of none of them is unchecked.
    """
    outcomes: list[Outcome] = []
    new: dict[str, float | str] = {}
    for label in labels:
        if label.key is None and _is_ambiguous(db, model, label):
            outcomes.append("ambiguous")
            continue
        name = _identity(db, model, label)
        is_checked = name is not None
        if name is None and knows_all:
            outcomes.append("unknown")
            continue
        name = name or identity(label.key, label.request_id, label.row)
        row = db.execute(
            "SELECT label FROM labels WHERE model = ? AND identity = ?", (model, name)
        ).fetchone()
        first = row[0] if row else new.get(name)
        if first is None:
            new[name] = label.label
            outcomes.append("accepted" if is_checked else "unchecked")
        else:
            outcomes.append("repeated" if first == label.label else "contradicting")
    return outcomes, new


def _is_ambiguous(db: sqlite3.Connection, model: str, label: NewLabel) -> bool:
    """Tell whether a caller used the request's id again.

    Then the row there is several events.
    """
    place = (model, label.request_id, label.row)
    row = db.execute(
        "SELECT several FROM requests WHERE model = ? AND request_id = ? AND row = ?", place
    ).fetchone()
    return row is not None and bool(row[0])


def _identity(db: sqlite3.Connection, model: str, label: NewLabel) -> str | None:
    """Return the identity of the row that is meant, or None where none like it was predicted."""
    if label.key is not None:
        row = db.execute(
            "SELECT key FROM keys WHERE model = ? AND key = ?", (model, label.key)
        ).fetchone()
    else:
        place = (model, label.request_id, label.row)
        row = db.execute(
            "SELECT key FROM requests WHERE model = ? AND request_id = ? AND row = ?", place
        ).fetchone()
    return identity(row[0], label.request_id, label.row) if row else None
