"""All records of one version that its card is written from.

The ledger's chain, the recipe that the verdict names (with model.yaml as it was then), and what was
measured. Nothing is computed here, and what is not there is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.answers.origins import Origin, why
from pipelines.cards.figures import find_figures
from pipelines.errors import PerennialError, TryAgain
from pipelines.ledger import GateVerdict
from pipelines.recipes import read_recipe
from pipelines.spec import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pipelines.cards.figures import CardFigures
    from pipelines.ledger import Ledger
    from pipelines.recipes import Recipe
    from pipelines.spec import Spec
    from pipelines.store.port import Store

    T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """What the records say of a version; `entries` is the newest entry of its model's."""

    origin: Origin
    entries: int
    run: str = ""
    verdict: GateVerdict | None = None
    recipe: Recipe | None = None
    spec: Spec | None = None
    """The spec as it was when the version was made."""
    figures: CardFigures | None = None


def find_known(ledger: Ledger, store: Store, model: str, version: str) -> Known:
    """Return what is recorded of a version.

    Raises RequestError where the ledger knows no such version.
    """
    origin = why(ledger, store, model, version)
    entries = ledger.entries(model)
    judged = [
        (entry.run, found)
        for entry in entries
        if isinstance(found := entry.decision, GateVerdict) and found.version == version
    ]
    known = Known(origin, entries=entries[-1].seq)
    if not judged:
        return known
    run, verdict = judged[-1]
    recipe = _recipe(store, verdict)
    figures = _if_there(lambda: find_figures(store, model, run))
    return Known(
        origin,
        entries=known.entries,
        run=run,
        verdict=verdict,
        recipe=recipe,
        spec=_spec(store, recipe),
        figures=figures if figures and figures.version == version else None,
    )


def _recipe(store: Store, verdict: GateVerdict) -> Recipe | None:
    made = verdict.made_from
    return _if_there(lambda: read_recipe(store, made.recipe)) if made else None


def _spec(store: Store, recipe: Recipe | None) -> Spec | None:
    """Return the spec that a recipe holds; None where this Perennial cannot read it."""
    files = recipe.files if recipe else {}
    ref = next((ref for name, ref in files.items() if name.endswith("/model.yaml")), None)
    return _if_there(lambda: parse_spec(store.get(ref), "model.yaml")) if ref else None


def _if_there(read: Callable[[], T]) -> T | None:
    """Return what is read; None where it is gone, was changed, or makes no sense here.

    A store that is away is no reason to write a card without it.
    """
    try:
        return read()
    except TryAgain:
        raise
    except PerennialError:
        return None
