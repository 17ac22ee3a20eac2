"""What a gate is told of an anomaly model on some rows: its flags, and how many have a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.data.sides import groups_of
from pipelines.judging.draws import draws_of
from pipelines.science.anomaly import FlagRate, flag_rate
from pipelines.science.usable_rows import UNLABELLED
from pipelines.spec.anomaly import needs_truth
from pipelines.spec.threshold import ThresholdAtRate
from pipelines.training.targets import targets

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.messages import Threshold
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def anomaly_facts(
    spec: Spec, rows: pa.Table, truth: Array, scores: Array, threshold: Threshold | None
) -> dict[str, Any]:
    """Return the facts `flags`, `labelled` and `rows` of the gate; none of another task's model.

    `truth` and `scores` (n,) are of the rows. Where the truth decides, only rows with a label count
    as `rows`.
    """
    if threshold is None or threshold.rate is None:
        return {}
    labelled = int((truth != UNLABELLED).sum()) if spec.has_target else None
    count = labelled if needs_truth(spec.gate.versus_champion.metric) else len(scores)
    flags = _measure_flags(spec, rows, scores, threshold)
    return {"flags": flags, "labelled": labelled, "rows": count or 0}


def anomaly_facts_over_folds(
    spec: Spec, rows: pa.Table, flags: Array | None, *, learnt_from: int
) -> dict[str, Any]:
    """Return the facts `flags`, `labelled` and `rows` of rows (n,) that folds have judged.

    `flags` says of each row whether a fit that has not seen it flags it, at the threshold which
    that fit's own `learnt_from` rows have set. The check is that of one threshold (see
    `anomaly.chance_of_share`): several of them, each on other rows, scatter less than one does, so
    a kept promise is called broken more seldom than the confidence allows, never more often.
    """
    if flags is None or not isinstance(spec.threshold, ThresholdAtRate):
        return {}
    labelled = int((targets(rows, spec, None) != UNLABELLED).sum()) if spec.has_target else None
    found = flag_rate(
        flags,
        spec.threshold.rate,
        calibrated_on=learnt_from,
        confidence=spec.gate.versus_champion.confidence_by("better"),
        seed=spec.train.seed,
        groups=groups_of(rows, spec),
    )
    return {
        "flags": found,
        "labelled": labelled,
        "rows": labelled if labelled is not None else len(flags),
    }


def _measure_flags(spec: Spec, rows: pa.Table, scores: Array, threshold: Threshold) -> FlagRate:
    """Return the share of the rows flagged, with the confidence of the gate."""
    return flag_rate(
        scores > threshold.value,
        threshold.rate or 0.0,
        calibrated_on=threshold.rows,
        **draws_of(rows, spec),
    )
