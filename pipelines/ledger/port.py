"""What a ledger promises; its chain's rules are in `chain`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from pydantic import StringConstraints

from pipelines.errors import Conflict, Corrupted
from pipelines.intervals import Moment
from pipelines.ledger.decision import Decision
from pipelines.ledger.entries import Crown, decision_of
from pipelines.refs import Name, Ref, Sha256, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from pipelines.ledger.entries import Kind

D = TypeVar("D", bound=Decision)

GENESIS = "0" * 64
"""The previous hash of the first entry."""

Columns = tuple[int, str, str, str, str, str, str, str]
"""An entry as it is stored, in the order of `chain.StoredEntry`."""
Note = Callable[[Columns], None]
"""What is told of each entry that was checked."""

_AGAIN = re.compile(r"~\d+$")
"""How the key of a run's second and later entries ends (see `outcomes`)."""

Key = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")
]
AnyKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
"""A kind, also one that only a newer version knows."""


class Entry(Value):
    """One decision. `key` makes it happen at most once: (model, kind, key) is unique.

    `body` is its JSON as it was written, of which the hash speaks; what it says is `decision`.
    """

    seq: int
    at: Moment
    model: Name
    kind: AnyKind
    key: Key
    body: dict[str, Any]
    previous: Sha256
    hash: Sha256

    @property
    def decision(self) -> Decision:
        """What it says, whatever its kind; an UnknownDecision where that is not known here."""
        return decision_of(self.kind, self.body)

    @property
    def run(self) -> str:
        """The run that decided: by its own word, else by the key without a repeat's number."""
        return str(self.body.get("run") or _AGAIN.sub("", self.key))

    @property
    def runs(self) -> set[str]:
        """Every run that it may speak of, also in a decision that is not known here."""
        values = {self.body.get(name) for name in ("run", "run_id", "asked_by")}
        runs = {run for run in values if isinstance(run, str)}
        return {self.key, self.key.split("~", maxsplit=1)[0]} | runs

    @property
    def summary(self) -> str:
        """Its texts and whole numbers by name: how an entry without words of its own is shown."""
        return ", ".join(
            f"{name} {value}"
            for name, value in self.body.items()
            if isinstance(value, str | int) and not isinstance(value, bool)
        )

    def read(self, kind: type[D]) -> D:
        """Return what it says as a decision of this kind.

        Raises Corrupted, naming the entry, where it says nothing of the kind.
        """
        decision = self.decision
        if isinstance(decision, kind):
            return decision
        raise Corrupted(
            f"Entry {self.seq} of the ledger ({self.model}, {self.kind}) cannot be read as a"
            f" {kind.__name__}.",
            remedy=(
                "a newer Perennial wrote it (then use that one), or it was touched:"
                " `perennial verify`."
            ),
        )


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

    def append(self, model: str, key: str, decision: Decision) -> Entry:
        """Add a decision once: with a key that is there already, return that entry and change
        nothing.
        """
        ...

    def append_many(self, model: str, decisions: Sequence[tuple[str, Decision]]) -> list[Entry]:
        """Add decisions, each under its key, in this order: all of them or none.

        Return their entries. As with `append`, what is there already stays as it is.
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

    def newest(self, models: Sequence[str], kinds: Sequence[Kind]) -> list[Entry]:
        """Return the newest entry of each of these models and kinds, oldest first: one question,
        however many models there are.
        """
        ...

    def since(self, models: Sequence[str], kinds: Sequence[Kind], moment: datetime) -> list[Entry]:
        """Return the entries of these models and kinds from a moment (aware) on, oldest first."""
        ...

    def walk(self, model: str | None = None) -> Iterator[Entry]:
        """Yield entries oldest first; a long ledger needs no more memory than a short one."""
        ...

    def champion(self, model: str) -> Champion | None:
        """Return who serves now, or None before the first deployment."""
        ...

    def crown(self, model: str, *, expected: str | None, champion: Crown, key: str) -> Entry:
        """Make a version the champion if `expected` (a version, or None) still is: compare-and-set.

        A key that is there already returns its entry.
        Raises Conflict, naming both versions, when somebody else was faster.
        """
        ...

    def turn(self, what: str) -> AbstractContextManager[bool]:
        """Have the turn `what`, which one at a time has, wherever the others are; yield False, at
        once, where another one has it. It ends with its process.
        """
        ...

    def verify(self, after: Head | None = None, note: Note | None = None) -> int:
        """Check the whole chain and return its length; `note` is told of each entry.

        With `after`, an entry that was checked before, that it is still there, and all that follow.
        Raises Corrupted naming the first entry that was touched or is missing.
        """
        ...


def expect_champion(model: str, current: Champion | None, expected: str | None) -> None:
    """Raise Conflict, naming both, unless the current champion is the expected version (None: there
    is none yet).
    """
    actual = current.version if current else None
    if actual != expected:
        message = (
            f"The champion of {model} is {actual or 'nobody'}, not {expected or 'nobody'} as"
            " expected."
        )
        raise Conflict(
            message, remedy="judge the challenger anew against the champion that serves now."
        )


def champion_of(entry: Entry | None) -> Champion | None:
    """Return the champion that a `champion` entry crowned.

    Raises Corrupted where it crowns none.
    """
    if entry is None:
        return None
    crown = entry.read(Crown)
    return Champion(
        version=crown.version, bundle=crown.bundle, release=crown.release, since=entry.at
    )
