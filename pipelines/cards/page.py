"""A card as an HTML page: complete in itself, no scripts, everything escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import comparison
from pipelines.errors import Corrupted
from pipelines.templates import fill

if TYPE_CHECKING:
    from pipelines.cards.document import Card, Section
    from pipelines.store.port import Store

_TEMPLATE = Path(__file__).with_name("page.html")
_STYLE = Path(comparison.__file__).with_name("style.css")


def render(store: Store, card: Card) -> str:
    """Return the page; its drawings are read from the store, and one that is gone is left out."""
    drawings = {s.title: list(_drawings(store, s)) for s in card.sections}
    return fill(
        _TEMPLATE, title=card.title, card=card, drawings=drawings, style=_STYLE.read_text("utf-8")
    )


def _drawings(store: Store, section: Section) -> list[tuple[str, str]]:
    """Return each drawing with its words; Perennial drew it, and its hash is checked."""
    found = []
    for drawing in section.drawings:
        try:
            found.append((store.get(drawing.svg).decode(), drawing.words))
        except Corrupted:
            found.append(("", "The drawing is no longer in the store."))
    return found
