"""What came of a run, in the ledger, which changes nothing.

What turned out otherwise is entered again, as run~2, run~3 and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pipelines.ledger.entries import Outcome
from pipelines.ledger.erasures import Erasure
from pipelines.ledger.page_removals import PageRemoval
from pipelines.refs import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.ledger.entries import DecisionOfRun, Kind
    from pipelines.ledger.port import Entry, Ledger
    from pipelines.ledger.run_entries import StepOfRun

R = TypeVar("R", bound="DecisionOfRun")

WORDS = 500
"""Characters of one reason that are kept."""
REASONS = 20
"""Reasons that are kept."""


def record(ledger: Ledger, model: str, run: str, outcome: Outcome) -> None:
    """Enter what came of a run, unless the ledger says so already."""
    reasons = [reason[:WORDS] for reason in outcome.reasons[:REASONS]]
    append_changed(ledger, model, run, outcome.model_copy(update={"reasons": reasons}))


def find_outcome(ledger: Ledger, model: str, run: str) -> Outcome | None:
    """Return what came of a run as far as the ledger knows; None where it has not ended yet."""
    entry = newest(ledger, model, "outcome", run)
    return entry.read(Outcome) if entry is not None else None


def append_changed(
    ledger: Ledger,
    model: str,
    run: str,
    decision: R,
    same: Callable[[R], bool] = lambda _: False,
) -> R:
    """Enter a run's decision, unless its newest one of this kind says the same.

    Return the one that counts.

    `same` tells of another decision whether it says the same; an equal one always does.
    """
    kind, new = type(decision), decision.model_copy(update={"run": run})

    def says_the_same(entry: Entry) -> bool:
        other = entry.decision
        return entry.body == new.body() or (
            isinstance(other, kind) and _is_of(entry, run) and same(other)
        )

    while True:
        entries = list(_entries(ledger, model, new.kind, run))
        own = [entry for entry in entries if _is_of(entry, run)]
        if own and says_the_same(own[-1]):
            return own[-1].read(kind)
        entry = ledger.append(model, _key(run, len(entries) + 1), new)
        if says_the_same(entry):
            return entry.read(kind)


def newest(ledger: Ledger, model: str, kind: Kind, run: str) -> Entry | None:
    """Return a run's newest entry of a kind, or None."""
    own = [entry for entry in _entries(ledger, model, kind, run) if _is_of(entry, run)]
    return own[-1] if own else None


def _is_of(entry: Entry, run: str) -> bool:
    """Tell whether an entry is the run's: a run may be called what another's second entry is."""
    return bool(entry.body.get("run", entry.key) == run)


def _entries(ledger: Ledger, model: str, kind: Kind, run: str) -> Iterator[Entry]:
    number = 1
    while (entry := ledger.find(model, kind, _key(run, number))) is not None:
        yield entry
        number += 1


def _key(run: str, number: int) -> str:
    return run if number == 1 else f"{run}~{number}"


def record_step(ledger: Ledger, model: str, step: StepOfRun) -> Entry:
    """Enter what a step did: once for a run and what it says, so that a retry finds its entry."""
    return ledger.append(model, f"{step.run}:{sha256(canonical(step.body()))[:16]}", step)


def erasures_of(ledger: Ledger, model: str, version: str | None = None) -> list[Entry]:
    """Return the erasures of a model, oldest first; those that touch a version where it is named.

    An entry of a newer Perennial is left out.
    """
    return [
        entry
        for entry in ledger.entries(model, "erasure")
        if isinstance(found := entry.decision, Erasure) and version in {None, *found.versions}
    ]


def find_removal(ledger: Ledger, model: str, run: str) -> Entry | None:
    """Return the entry that says that a look's page of Evidently's was removed, or None.

    None also where the run has looked again since. The page may have been made again, too.
    """
    for entry in reversed(ledger.entries(model, "page_removal")):
        if isinstance(removal := entry.decision, PageRemoval) and run in removal.runs:
            check = newest(ledger, model, "drift", run)
            return entry if check is None or check.seq < entry.seq else None
    return None
