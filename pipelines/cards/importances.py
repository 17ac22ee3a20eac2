"""How much a version's metric loses without each input, for whoever ranks inputs by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cards.figures import MOST_INPUTS, find_figures
from pipelines.errors import Corrupted
from pipelines.ledger import GateVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.cards.figures import Shuffled
    from pipelines.ledger import Ledger
    from pipelines.store.port import Store


def find_importances(
    ledger: Ledger, store: Store, model: str, version: str, inputs: Sequence[str]
) -> dict[str, float] | None:
    """Return what the metric loses where an input is shuffled, by input (in the metric's unit).

    An input that nobody had the time to shuffle is left out. None where nothing was measured of
    the version, or where that was changed.
    """
    for entry in reversed(ledger.entries(model, "verdict")):
        verdict = entry.decision
        if isinstance(verdict, GateVerdict) and verdict.version == version:
            try:
                figures = find_figures(store, model, entry.run)
            except Corrupted:
                continue
            if figures and figures.version == version and figures.shuffled:
                return _losses(figures.shuffled, inputs)
    return None


def _losses(found: Shuffled, inputs: Sequence[str]) -> dict[str, float]:
    kept = {each.name: each.loss for each in found.losses}
    losses = {name: kept[name] for name in inputs if name in kept}
    if len(kept) == MOST_INPUTS and not found.left_out:
        # Only the greatest are kept: each of the others loses no more than the least of them.
        losses |= dict.fromkeys((n for n in inputs if n not in kept), min(kept.values()))
    return losses
