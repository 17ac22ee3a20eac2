"""The rows of a window, with or without labels, and where they come from.

A model is one with traffic as soon as its inference log holds anything at all: a window without
traffic is then an empty one, and is never filled with batches in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from pipelines.columns.widening import together, with_types
from pipelines.data.feature_rows import build_batch
from pipelines.data.plan_types import plan_types
from pipelines.inference_log.rotated_entries import segments_of

if TYPE_CHECKING:
    import numpy as np

    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.inference_log.join import Counts
    from pipelines.store.port import Store
    from pipelines.watch.sides import Labelled, Rows

    Array = np.ndarray[Any, Any]


WindowSource = Literal["traffic", "batches"]


ARROW = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}
"""The types in which the log holds an input of a kind."""


@dataclass(frozen=True)
class WindowRows:
    """A window's rows, its labelled ones, what was counted on the way, and what a reader must know.

    `problem` says why the champion could not answer the rows; then `window` has no predictions.
    """

    window: Rows
    labelled: Labelled | None
    counts: Counts
    notes: list[str] = field(default_factory=list)
    problem: str = ""


def source_of(store: Store, model: str, *, snapshot: bool = False) -> WindowSource:
    """Return where a model's windows come from.

    Its traffic if its inference log holds anything, else its batches. A snapshot has no batches in
    time, so there it is the traffic, if any.
    """
    return (
        "traffic"
        if snapshot
        or segments_of(store, model, "predictions")
        or store.keys(f"inference/{model}/rotated")
        else "batches"
    )


def build_table(context: Context, plan: Plan) -> pa.Table:
    """Return the features of the window's batches."""
    spec = context.spec
    types = plan_types(context.ports.store, spec, plan)
    tables = {b.interval.name: build_batch(context, plan, b, types) for b in plan.holdout}
    return with_types(together(tables, "The features of the window", whole=spec.key))
