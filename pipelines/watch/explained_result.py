"""Cause and effect as a drift step answers them: in short, so that they fit into its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.messages import DriftCause, DriftEffect
from pipelines.watch.short_texts import fit_within, shorten

if TYPE_CHECKING:
    from pipelines.watch.explanation import Explanation

_WORDS, _NAMES = 700, 300
"""Bytes (as JSON) of the sentences and of the names; the page and the figures hold all."""


def told(explanation: Explanation | None) -> dict[str, Any]:
    """Return the fields `cause` and `effect` of a result; {} where nothing was explained."""
    if explanation is None:
        return {}
    cause, effect = explanation.cause, explanation.effect
    fields: dict[str, Any] = {
        "cause": DriftCause(
            kind=cause.kind,
            detail=cause.detail,
            columns=fit_within(cause.columns, _NAMES),
            evidence=shorten(cause.evidence, _WORDS),
            sureness=cause.sureness,
        )
    }
    if effect is not None:
        fields["effect"] = DriftEffect(
            follows=effect.follows,
            words=shorten(effect.words, _WORDS),
            columns=fit_within([c.name for c in effect.columns if c.weight > 0], _NAMES),
            flips=effect.flips,
        )
    return fields
