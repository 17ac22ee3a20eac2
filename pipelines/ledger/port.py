"""What a ledger promises, and the pure rules that both its implementations follow."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from pydantic import StringConstraints, ValidationError

from pipelines.errors import Conflict, Corrupted, RequestError
from pipelines.intervals import Moment, iso
from pipelines.ledger.entries import KINDS, Crown, Decision, decision_of
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import Name, Ref, Sha256, Value, canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pipelines.ledger.entries import Kind

D = TypeVar("D", bound=Decision)

GENESIS = "0" * 64
"""The previous hash of the first entry."""

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

    def crown(self, model: str, *, expected: str | None, champion: Crown, key: str) -> Entry:
        """Make a version the champion if `expected` (a version, or None) still is: compare-and-set.

        A key that is there already returns its entry.
        Raises Conflict, naming both versions, when somebody else was faster.
        """
        ...

    def verify(self) -> int:
        """Check the whole chain and return its length.

        Raises Corrupted naming the first entry that was touched or is missing.
        """
        ...


def entry_hash(entry: Entry) -> str:
    """Return the hash that chains an entry to the one before: what it has unless it was touched.

    SHA-256 of the canonical JSON of all else, `previous` included.
    """
    fields = {
        "seq": entry.seq,
        "at": iso(entry.at),
        "model": entry.model,
        "kind": entry.kind,
        "key": entry.key,
        "body": entry.body,
        "previous": entry.previous,
    }
    return sha256(canonical(fields))


def chain_entry(head: Head, *, at: datetime, model: str, key: str, decision: Decision) -> Entry:
    """Return the entry that follows `head`, its body as it reads back from JSON.

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
    return entry.model_copy(update={"hash": entry_hash(entry)})


def first_break(entries: Iterable[Entry], head: Head | None = None) -> int | None:
    """Return the sequence number of the first entry that was touched or is missing, or None.

    `entries` come in the order of their numbers. With the remembered `head` missing and rewritten
    newest entries are seen too. Whoever rewrites an entry, all that follow and the head leaves a
    chain that is whole: a hash chain shows that the record was touched, not that its host can be
    trusted. For that there is an anchor (pipelines/ledger/anchors.py).
    """
    previous, seq = GENESIS, 1
    for e in entries:
        if e.seq != seq or e.hash != entry_hash(e):
            return seq
        if (
            e.previous != previous
        ):  # this entry is whole, so the one before was written anew with a hash to match
            return max(seq - 1, 1)
        previous, seq = e.hash, seq + 1
    if head is None or (head.seq, head.hash) == (seq - 1, previous):
        return None
    return head.seq if head.seq == seq - 1 else min(head.seq + 1, seq)


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
