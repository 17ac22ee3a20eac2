"""A card as a page of its run, among the artifacts of the version's run and beside the version.

It is written when a version is registered, and again when a person says something of it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cards import markdown, page
from pipelines.cards.figures import keep_figures
from pipelines.cards.measuring import NOT_MEASURED, NOT_POSSIBLE, figures_of
from pipelines.cards.writing import write_card
from pipelines.errors import TryAgain
from pipelines.store.pages import publish_page

if TYPE_CHECKING:
    from pipelines.cards.document import Card
    from pipelines.comparison.retraining import Retraining
    from pipelines.context import Context
    from pipelines.messages import GateResult


def publish_first_card(
    context: Context, result: GateResult, run: str, found: Retraining | None
) -> bool:
    """Keep what was measured of a registered version, publish its card and return whether there is
    anything that was measured.

    Nothing is done where the run has no challenger.
    """
    if not result.version:
        return False
    store, name = context.ports.store, context.spec.name
    why_none = NOT_POSSIBLE if context.settings.comparison_seconds else NOT_MEASURED
    try:
        figures = figures_of(store, result.version, result.candidate, found, why_none)
        is_measured = not keep_figures(store, name, run, figures).nothing
    except TryAgain:
        raise
    except Exception:  # estimators and data may be odd in ways that nobody thought of
        context.log.warning("the figures of the card could not be kept", exc_info=True)
        is_measured = False
    publish_card(context, result.version)
    return is_measured


def publish_card(context: Context, version: str) -> None:
    """Publish a version's card as it is by now; the same again changes nothing.

    A card decides nothing: where it cannot be written, the log says so. Raises TryAgain where a
    service is away.
    """
    ports, name = context.ports, context.spec.name
    try:
        card = write_card(ports.ledger, ports.store, name, version)
        html = page.render(ports.store, card).encode()
        publish_page(ports.store, model=name, kind="card", run=card.run, page=html)
        _attach(context, card, html)
    except TryAgain:
        raise
    except Exception:  # as above
        context.log.warning("the card of version %s could not be written", version, exc_info=True)


def _attach(context: Context, card: Card, html: bytes) -> None:
    registry = context.ports.registry
    with tempfile.TemporaryDirectory(prefix="perennial-card-") as folder:
        for ending, data in (("md", markdown.render(card).encode()), ("html", html)):
            file = Path(folder) / f"card.{ending}"
            file.write_bytes(data)
            registry.attach(card.run_id, file, "card")
    registry.describe(card.model, card.version, markdown.render_brief(card))
