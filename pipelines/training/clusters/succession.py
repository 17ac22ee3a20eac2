"""A clustering against that of the champion, on the same rows: is it the same one?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.data import labelled_rows
from pipelines.data.sides import groups_of
from pipelines.science.bootstrap import spread
from pipelines.science.cluster_gate import Succession
from pipelines.science.cluster_metrics import stability
from pipelines.science.cluster_names import match_names
from pipelines.science.formulas.clusters import contingency
from pipelines.training.clusters.names import ask_champion

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.ledger import Champion

    Array = np.ndarray[Any, Any]


def compare_clusters(
    context: Context, answers: Array, champion: Champion | None, holdout: pa.Table
) -> Succession | None:
    """Return how the challenger's clusters (n, k) of the held-out rows succeed the champion's.

    None where there is no champion, or it cannot answer: then it is no clustering to keep to.
    """
    theirs = None if champion is None else ask_champion(context, champion.bundle, holdout)
    if champion is None or theirs is None or theirs.places is None:
        return None
    spec, ours = context.spec, answers.argmax(axis=1)
    names = list(theirs.manifest.inputs.classes or [])
    matching = match_names(
        contingency(ours, theirs.places, (answers.shape[1], len(names))), names, 0
    )
    return Succession(
        stability=spread(
            stability(theirs.places),
            np.zeros(len(ours)),
            answers,
            event_times=None if spec.is_snapshot else labelled_rows.times(holdout, spec),
            groups=groups_of(holdout, spec) if spec.is_snapshot else None,
            confidence=spec.gate.versus_champion.confidence,
            seed=spec.train.seed,
        ),
        kept=matching.kept,
        new=len(matching.new),
        gone=matching.gone,
    )
