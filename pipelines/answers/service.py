"""Which version answered at a moment, as the chain tells it.

The order of decisions is the chain's, not the clock's. A clock that went backwards between two
entries cannot make the later one older: an entry counts from the latest moment that the chain had
reached by then (`Turn.since`), and its own moment stands beside it (`Turn.written`).

The ledger says who was the champion; whether the server was up is not in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from pipelines.errors import RequestError
from pipelines.intervals import Moment
from pipelines.ledger import Crown, GateVerdict, Reconciliation
from pipelines.refs import NAME_PATTERN, Ref, Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from pipelines.ledger import Entry, Kind, Ledger

NOT_RECORDED = "not recorded (an earlier version of Perennial wrote this part of the ledger)"


class Turn(Value):
    """A version's time as the one that answers: [since, until), until None where it still does."""

    version: str
    release: int
    bundle: Ref
    since: Moment
    until: Moment | None
    written: Moment
    entry: int


class Served(Value):
    """Who served a model at a moment; `turn` is None where nothing did.

    `why` says it in words: the verdict on the version, and what its release was made for.
    """

    model: str
    at: Moment
    turn: Turn | None
    why: list[str]
    clock_went_back: bool


def expect_known(ledger: Ledger, models: Path, model: str) -> None:
    """Raise RequestError unless the model has a folder in `models`, or entries in the ledger.

    A model whose folder is gone or broken can still be asked about.
    """
    is_name = re.fullmatch(NAME_PATTERN, model) is not None
    if is_name and ((models / model).is_dir() or ledger.entries(model, limit=1)):
        return
    raise RequestError(
        f"There is no model {model[:60]!r}: no folder models/ has it, and no entry of the ledger.",
        remedy="`perennial models` lists those with a folder.",
    )


def turns(entries: Sequence[Entry]) -> list[Turn]:
    """Return a model's turns in the chain's order, from its crowns and reconciliations."""
    found: list[Turn] = []
    clock: datetime | None = None
    for entry in sorted(entries, key=lambda e: e.seq):
        subject: Crown | Reconciliation
        if entry.kind == "champion":
            subject = entry.read(Crown)
            number: int | None = subject.release
        elif entry.kind == "reconciled":
            subject = entry.read(Reconciliation)
            number = subject.number
        else:
            continue
        if number is None or subject.version is None or subject.bundle is None:
            continue
        clock = entry.at if clock is None else max(clock, entry.at)
        if found:
            found[-1] = found[-1].model_copy(update={"until": clock})
        found.append(
            Turn(
                version=subject.version,
                release=number,
                bundle=subject.bundle,
                since=clock,
                until=None,
                written=entry.at,
                entry=entry.seq,
            )
        )
    return found


def turn_at(all_turns: Sequence[Turn], at: datetime) -> Turn | None:
    """Return the turn that holds a moment; the chain's last where several begin at it."""
    place = bisect_right(all_turns, at, key=lambda turn: turn.since)
    return all_turns[place - 1] if place else None


def who_served(ledger: Ledger, model: str, at: datetime) -> Served:
    """Return who served a model at a moment, and the verdict that let it."""
    entries = [*ledger.entries(model, "champion"), *ledger.entries(model, "reconciled")]
    found = turns(entries)
    turn = turn_at(found, at)
    why: list[str] = []
    if turn is not None:
        verdicts = [
            (e, v)
            for e in ledger.entries(model, "verdict")
            if isinstance(v := e.decision, GateVerdict) and v.version == turn.version
        ]
        why = [say_verdict(entry, verdict) for entry, verdict in verdicts] or [NOT_RECORDED]
        why += release_reasons(ledger, model, turn)
    return Served(
        model=model,
        at=at,
        turn=turn,
        why=why,
        clock_went_back=any(t.written < t.since for t in found),
    )


def release_reasons(ledger: Ledger, model: str, turn: Turn) -> list[str]:
    """Return in words why a turn's release was made: a deployment, a rollback, a repair."""
    kinds: tuple[Kind, ...] = ("release", "reconciled")
    return [
        f"release {turn.release}: {entry.body.get('reason', '')}"
        for kind in kinds
        for entry in ledger.entries(model, kind)
        if entry.body.get("number") == turn.release
    ]


def say_verdict(entry: Entry, verdict: GateVerdict) -> str:
    """Return a verdict in one line."""
    reasons = "; ".join(verdict.reasons) or verdict.choice or "every check passed"
    return f"verdict of {entry.run}: {verdict.verdict} ({reasons})"


def parse_moment(text: str) -> datetime:
    """Return a moment that a user named; without a zone it is UTC.

    Raises RequestError where it is none.
    """
    try:
        moment: datetime = TypeAdapter(Moment).validate_python(text)
    except ValidationError as error:
        raise RequestError(
            f"{text[:60]!r} is no moment.", remedy="such as 2013-04-01T12:00:00Z."
        ) from error
    return moment
