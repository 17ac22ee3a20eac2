"""What people said of a model's versions: whether a promoted one may serve, whether a refused one
shall all the same.

The ledger says so. `package` and `deploy` look there themselves: a request that says "promote" is
not enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipelines.errors import RequestError
from pipelines.ledger import Approval, Override
from pipelines.verdicts import words

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.ledger import Entry, Ledger

_OF_A_VERSION = {"verdict", "release", "champion"}
"""Kinds of entries that speak of one version, and show what people said of it."""


def find(ledger: Ledger, model: str, run: str) -> Approval | None:
    """Return the answer on a run's version; None where there is none yet. A run has one answer."""
    entry = ledger.find(model, "approval", run)
    return entry.read(Approval) if entry is not None else None


class Mark(NamedTuple):
    """What a person said of a version, in a word and in words."""

    badge: Literal["override", "approved", "not approved"]
    text: str


@dataclass(frozen=True)
class Marks:
    """What people said of a model's versions, by version. Where one was overridden, that counts."""

    by_version: dict[str, Mark]

    def of(self, version: str) -> Mark | None:
        """Return what was said of a version; None where nobody said anything."""
        return self.by_version.get(version)

    def on(self, entry: Entry) -> Mark | None:
        """Return what was said of the version that an entry speaks of; None where it does not."""
        version = entry.body.get("version")
        if entry.kind not in _OF_A_VERSION or not isinstance(version, str):
            return None
        return self.of(version)


def marks_of(ledger: Ledger, model: str) -> Marks:
    """Return what people said of a model's versions; an entry of a newer Perennial is left out."""
    marks = {}
    for entry in ledger.entries(model, "approval"):
        if isinstance(answer := entry.decision, Approval):
            text = words.answered(answer.by, answer.why)
            marks[answer.version] = Mark("approved" if answer.approved else "not approved", text)
    for entry in ledger.entries(model, "override"):
        if isinstance(over := entry.decision, Override):
            marks[over.version] = Mark("override", words.overridden(over.by, over.reason))
    return Marks(marks)


def is_overridden(context: Context, version: str) -> bool:
    """Tell whether a person has promoted this version although it was refused."""
    mark = marks_of(context.ports.ledger, context.spec.name).of(version)
    return mark is not None and mark.badge == "override"


def expect(context: Context, run: str, version: str) -> None:
    """Raise RequestError unless the version may go on.

    It may where the spec asks nobody, where a person said yes to this version in this run, or
    overrode its refusal.
    """
    if not context.spec.gate.asks or is_overridden(context, version):
        return
    answer = find(context.ports.ledger, context.spec.name, run)
    if answer is None or not answer.approved or answer.version != version:
        why = "nobody has approved it in this run"
        if answer is not None:
            why = answer.why or f"the approval of this run is of version {answer.version}"
        raise RequestError(
            f"Version {version} of {context.spec.name} may not serve: {why}.",
            remedy=(
                f"answer the question of the task `ask` of retrain_{context.spec.name}; a run by"
                " hand asks nobody: retrain in Airflow."
            ),
        )
