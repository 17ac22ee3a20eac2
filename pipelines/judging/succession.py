"""A clustering against that of the champion, on the same rows: is it the same one?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.judging.draws import draws_of
from pipelines.science.bootstrap import spread
from pipelines.science.cluster_metrics import stability
from pipelines.science.cluster_names import match_names
from pipelines.science.formulas.clusters import contingency
from pipelines.science.gate.facts import Succession
from pipelines.training.clusters.names import ask_champion

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.ledger import Champion


def compare_clusters(
    context: Context, answers: Answers, champion: Champion | None
) -> Succession | None:
    """Return how the challenger's clusters of the held-out rows succeed the champion's.

    None where there is no champion, or it cannot answer: then it is no clustering to keep to.
    """
    theirs = None if champion is None else ask_champion(context, champion.bundle, answers.rows)
    if champion is None or theirs is None or theirs.places is None:
        return None
    spec, ours = context.spec, answers.own.argmax(axis=1)
    names = list(theirs.manifest.inputs.classes or [])
    matching = match_names(
        contingency(ours, theirs.places, (answers.own.shape[1], len(names))), names, 0
    )
    return Succession(
        stability=spread(
            stability(theirs.places),
            np.zeros(len(ours)),
            answers.own,
            **draws_of(answers.rows, spec),
        ),
        kept=matching.kept,
        new=len(matching.new),
        gone=matching.gone,
    )
