"""The HTML page of a rebuild: complete in itself, everything escaped, no row of anybody's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.templates import fill

if TYPE_CHECKING:
    from pipelines.rebuilding.outcome import Rebuild

_TEMPLATE = Path(__file__).with_name("page.html")


def render(run: str, found: Rebuild) -> str:
    """Return the page; the same rebuild gives the same page."""
    made = found.made_from
    origin = {
        "candidate": found.candidate,
        "commit": made.commit or "no checkout",
        "lock": made.lock or "none",
        "features revision": found.features_revision,
        "seed": made.seed,
        "recipe": made.recipe.uri,
    }
    return fill(
        _TEMPLATE,
        title=f"{found.model}: version {found.version} built again",
        run=run,
        found=found,
        origin=list(origin.items()),
    )
