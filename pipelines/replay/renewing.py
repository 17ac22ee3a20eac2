"""A challenger's recipe fitted again on the held-out rows: once, whoever the champion is.

What it answers follows from the challenger alone, and is most of what a verdict costs; several
policies ask for verdicts on one challenger beside different champions.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.judging.renewal import renew
from pipelines.refs import Ref, Value, digest
from pipelines.store.results import once

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.judging.measuring import Renewing
    from pipelines.messages import GateRequest, TrainResult
    from pipelines.science.gate.facts import Judging
    from pipelines.store.port import Store

    Array = np.ndarray[Any, Any]


class Renewed(Value):
    """The answers of a recipe and of the constant, as arrays of numpy; none where `parts` is 0."""

    own: Ref | None = None
    constant: Ref | None = None
    classes: list[str] | None = None
    parts: int = 0


def renewing_once(challenger: str) -> Renewing:
    """Return `renew`, which fits again once for a challenger, named by its version's key."""

    def renew_once(
        context: Context,
        request: GateRequest,
        best: TrainResult,
        answers: Answers,
        holdout: pa.Table,
        judging: Judging,
    ) -> tuple[Answers, Judging]:
        asked = (context, request, best, answers, holdout, judging)
        if not judging.asks_renewal:
            return renew(*asked)
        store = context.ports.store

        def fit() -> Renewed:
            found, _ = renew(*asked)
            if not found.parts:
                return Renewed()
            own, constant = _keep(store, found.own), _keep(store, found.constant)
            return Renewed(own=own, constant=constant, classes=found.classes, parts=found.parts)

        kept = once(store, "replay-renewal", digest(challenger), Renewed, fit)
        if kept.own is None or kept.constant is None:
            return renew(*asked)  # which says why it is judged as one fit
        own, constant = _read(store, kept.own), _read(store, kept.constant)
        found = replace(answers, own=own, constant=constant, classes=kept.classes, parts=kept.parts)
        return found, replace(judging, parts=kept.parts)

    return renew_once


def _keep(store: Store, values: Array) -> Ref:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return store.put(file.getvalue(), ".npy")


def _read(store: Store, ref: Ref) -> Array:
    found: Array = np.load(io.BytesIO(store.get(ref)), allow_pickle=False)
    return found
