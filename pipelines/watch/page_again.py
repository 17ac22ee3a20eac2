"""Evidently's page of an earlier look, made from what the look saw; nothing is entered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.errors import BadData, RequestError
from pipelines.ledger import Crown, DriftCheck, Ingest, champion_of, outcomes
from pipelines.science.drift import Decision
from pipelines.store.pages import publish_kept
from pipelines.watch.champion_look import observe_window
from pipelines.watch.evidently_page import keep_page

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.ledger import Champion, Entry
    from pipelines.refs import Ref
    from pipelines.store.page_parts import PageRef


def make_page_again(context: Context, run: str) -> PageRef:
    """Make Evidently's page of a look, again or because none was wanted then, and publish it, below
    the verdict of then.

    It compares the rows of the look's window with what the champion of then had learnt, by the
    rules of the spec as it is now. Raises RequestError where the ledger has no such look, or one
    that had no champion to compare with; BadData where what the look saw is not there any more, or
    was nothing.
    """
    ports, model = context.ports, context.spec.name
    entry = outcomes.newest(ports.ledger, model, "drift", run)
    if entry is None:
        raise RequestError(
            f"The ledger has no look of {model} of the run {run[:100]!r}.",
            remedy=f"`perennial history {model}` names them.",
        )
    check = entry.read(DriftCheck)
    champion = _champion_of_then(context, entry, check)
    if champion is None:
        raise RequestError(
            f"The look {run} of {model} had no page of Evidently's: there was no champion with"
            " whose past its rows could be compared.",
            remedy="its own page says why.",
        )
    plan = _plan_of(context, entry, run)
    shown = replace(context, settings=context.settings.replace(evidently=True))
    found = observe_window(shown, plan, check.window, champion)
    if found.source != check.source:
        raise BadData(
            f"The look {run} of {model} was at {check.source}, and a look at its window is at"
            f" {found.source} by now: Evidently's page of it cannot be made."
        )
    if found.evidently is None:
        why = "; ".join([*filter(None, [found.facts.error]), *found.facts.notes])
        raise BadData(
            f"Evidently's page of the look {run} of {model} cannot be made:"
            f" {why or 'there is nothing to compare'}."
        )
    decision = Decision(check.verdict, check.reasons)
    page = keep_page(ports.store, found.evidently, decision, run)
    publish_kept(ports.store, model=model, kind="evidently", run=run, page=page)
    return page


def _champion_of_then(context: Context, look: Entry, check: DriftCheck) -> Champion | None:
    """Return who served when the look was entered, if it is the version that the look names."""
    crowns = context.ports.ledger.entries(context.spec.name, "champion")
    before = [crown for crown in crowns if crown.seq < look.seq]
    same = [c for c in before if c.read(Crown).version == check.champion]
    return champion_of(same[-1]) if same else None


def _plan_of(context: Context, look: Entry, run: str) -> Ref:
    """Return the plan of the batches that the look stood on."""
    entries = context.ports.ledger.entries(context.spec.name, "ingest")
    for entry in reversed(entries):
        ingest = entry.decision
        if (
            isinstance(ingest, Ingest)
            and (ingest.run, ingest.purpose) == (run, "drift")
            and entry.seq < look.seq
        ):
            return ingest.plan
    raise BadData(
        f"The ledger does not say which batches the look {run} stood on: an earlier Perennial made"
        " it, so Evidently's page of it cannot be made."
    )
