"""How rows are drawn again where the gate asks how sure a value is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from pipelines.data import labelled_rows
from pipelines.data.sides import alike_groups, groups_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.science.pieces import Span
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


class Draws(TypedDict):
    """What `science.bootstrap` asks: the time (n,) or the group (n,) of each row, and the rest."""

    event_times: Array | None
    groups: Array | None
    span: Span
    confidence: float
    seed: int


def draws_of(rows: pa.Table, spec: Spec) -> Draws:
    """Return how the rows are drawn: by day and what else the spec says, or by group."""
    return Draws(
        event_times=None if spec.is_snapshot else labelled_rows.times(rows, spec),
        groups=groups_of(rows, spec) if spec.is_snapshot else alike_groups(rows, spec),
        span=spec.alike.span,
        confidence=spec.gate.versus_champion.confidence_by("better"),
        seed=spec.train.seed,
    )
