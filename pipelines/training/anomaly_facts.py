"""What a gate is told of an anomaly model on some rows: its flags, and how many have a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.data import labelled_rows
from pipelines.data.sides import groups_of
from pipelines.science.anomaly import FlagRate, flag_rate
from pipelines.science.metrics import UNLABELLED
from pipelines.spec.anomaly import needs_truth

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.messages import Threshold
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def promise_facts(
    spec: Spec, rows: pa.Table, truth: Array, scores: Array, threshold: Threshold | None
) -> dict[str, Any]:
    """Return the facts `flags`, `labelled` and `rows` of the gate; none of another task's model.

    `truth` and `scores` (n,) are of the rows. Where the truth decides, only rows with a label count
    as `rows`.
    """
    if threshold is None or threshold.rate is None:
        return {}
    told = int((truth != UNLABELLED).sum()) if spec.has_target else None
    count = told if needs_truth(spec.gate.versus_champion.metric) else len(scores)
    flags = flags_of(spec, rows, scores, threshold)
    return {"flags": flags, "labelled": told, "rows": count or 0}


def flags_of(spec: Spec, rows: pa.Table, scores: Array, threshold: Threshold) -> FlagRate:
    """Return the share of the rows flagged, with the confidence of the gate."""
    return flag_rate(
        scores > threshold.value,
        threshold.rate or 0.0,
        calibrated_on=threshold.rows,
        confidence=spec.gate.versus_champion.confidence,
        seed=spec.train.seed,
        event_times=None if spec.is_snapshot else labelled_rows.times(rows, spec),
        groups=groups_of(rows, spec) if spec.is_snapshot else None,
    )
