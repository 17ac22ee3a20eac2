"""A version's card, written from its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cards import judgement, sections
from pipelines.cards.document import NOT_KNOWN, Card, Mark
from pipelines.cards.explanations import explanations
from pipelines.cards.known import find_known
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.ledger import Approval, Override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.cards.known import Known
    from pipelines.ledger import Ledger
    from pipelines.store.port import Store


def write_card(ledger: Ledger, store: Store, model: str, version: str) -> Card:
    """Return the card of a version; the same records give the same card.

    Raises RequestError where the ledger knows no such version.
    """
    known = find_known(ledger, store, model, version)
    return Card(
        model=model,
        version=version,
        purpose=known.spec.description if known.spec else NOT_KNOWN,
        run=known.run,
        run_id=known.verdict.run_id if known.verdict else "",
        entries=known.entries,
        marks=list(_marks(known)),
        sections=[
            sections.purpose(known),
            judgement.verdict(known),
            judgement.people(known),
            sections.metrics(known),
            judgement.limits(known),
            sections.slices(known),
            *explanations(known),
            sections.data(known),
            judgement.lineage(known),
        ],
    )


def newest_version(ledger: Ledger, model: str) -> str:
    """Return the champion's version; where there is none, the newest that was judged.

    Raises RequestError where no version of the model was ever judged.
    """
    champion = ledger.champion(model)
    if champion is not None:
        return champion.version
    for entry in reversed(ledger.entries(model, "verdict")):
        version = entry.body.get("version")
        if isinstance(version, str) and version:
            return version
    raise RequestError(
        f"No version of {model} was judged yet, so there is no card.",
        remedy=f"trigger retrain_{model}; `perennial status` shows what is there.",
    )


def _marks(known: Known) -> Iterator[Mark]:
    """Yield what whoever sees the card must know before anything else."""
    found, answers = known.verdict, [a.said for a in known.origin.answers]
    overrides = [a for a in answers if isinstance(a, Override)]
    if found is None:
        yield Mark(tone="plain", text="Its verdict is not known.")
    elif found.verdict == "promote":
        yield Mark(tone="good", text="The gate promoted it.")
    else:
        yield Mark(tone="bad", text="The gate refused it.")
    for said in answers:
        if isinstance(said, Approval) and said.approved:
            at = iso(said.answered_at.replace(microsecond=0))
            yield Mark(tone="good", text=f"Approved by {said.by} at {at}.")
        elif isinstance(said, Approval):
            yield Mark(tone="bad", text=f"Not approved: {said.why}.")
    for over in overrides:
        yield Mark(
            tone="bad",
            text=f"It was refused, and {over.by} promoted it all the same: {over.reason}",
        )
