"""What came of a run, in the ledger, which changes nothing.

What turned out otherwise is entered again, as run~2, run~3 and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pipelines.refs import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.ledger import Entry, Ledger
    from pipelines.ledger.port import Kind

WORDS = 500
"""Characters of one reason that are kept."""
REASONS = 20
"""Reasons that are kept."""


class Outcome(Value):
    """What came of a retraining.

    `version` is the challenger's (empty without one), `reasons` say why it was refused or failed.
    """

    outcome: Literal["deployed", "refused", "failed"]
    version: str
    reasons: list[str]


def record(ledger: Ledger, model: str, run: str, outcome: Outcome) -> None:
    """Enter what came of a run, unless the ledger says so already."""
    reasons = [r[:WORDS] for r in outcome.reasons[:REASONS]]
    append_changed(
        ledger,
        model,
        "outcome",
        run,
        outcome.model_copy(update={"reasons": reasons}).model_dump(mode="json"),
    )


def known(ledger: Ledger, model: str, run: str) -> Outcome | None:
    """Return what came of a run as far as the ledger knows; None where it has not ended yet."""
    found = newest(ledger, model, "outcome", run)
    return (
        Outcome.model_validate({name: found.body[name] for name in Outcome.model_fields})
        if found is not None
        else None
    )


def append_changed(
    ledger: Ledger,
    model: str,
    kind: Kind,
    run: str,
    body: dict[str, Any],
    same: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> Entry:
    """Enter the body for a run, unless the run's newest entry of this kind says the same.

    Return the one that counts.

    `same` tells of another body whether it says the same; an equal one always does.
    """
    body = {"run": run, **body}
    while True:
        found = newest(ledger, model, kind, run)
        if found is not None and (found.body == body or same(found.body)):
            return found
        taken = len(list(_entries(ledger, model, kind, run)))
        entry = ledger.append(model, kind, _key(run, taken + 1), body)
        if entry.body == body or (entry.body.get("run") == run and same(entry.body)):
            return entry


def newest(ledger: Ledger, model: str, kind: Kind, run: str) -> Entry | None:
    """Return a run's newest entry of a kind, or None."""
    # A run may be called what another's second entry is.
    own = [e for e in _entries(ledger, model, kind, run) if e.body.get("run", e.key) == run]
    return own[-1] if own else None


def _entries(ledger: Ledger, model: str, kind: Kind, run: str) -> Iterator[Entry]:
    number = 1
    while (entry := ledger.find(model, kind, _key(run, number))) is not None:
        yield entry
        number += 1


def _key(run: str, number: int) -> str:
    return run if number == 1 else f"{run}~{number}"
