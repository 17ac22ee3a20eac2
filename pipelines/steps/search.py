"""`search`: try settings of one candidate beside its training, on another worker.

It decides nothing and answers with counts: what a trial scored is on the search's board, where the
training finds it. Whether it ran at all changes no figure.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipelines.messages import SearchHelp
from pipelines.training.search_state import (
    board_of,
    named_candidate,
    training_key,
    why_not_trained,
)
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import SearchRequest
    from pipelines.spec import Candidate
    from pipelines.training.search import Board


def run(context: Context, request: SearchRequest) -> SearchHelp:
    """Return how many settings were tried here; none where the training has ended already.

    Raises RequestError for an unknown candidate, SpecError for a parameter that the estimator does
    not take, BadData where there is nothing to learn.
    """
    began = time.perf_counter()
    candidate = named_candidate(context.spec, request.candidate)
    key = training_key(context, request.run, candidate, request.features)
    board = board_of(context, candidate, key, request.worker)
    is_over = context.ports.store.read(f"results/train/{key}") is not None
    tried = 0
    if board is not None and not is_over:
        with limit_threads(context.settings.threads):
            tried = _help(context, request, candidate, board)
    context.log.info("%s: worker %d has tried %d", candidate.name, request.worker, tried)
    return SearchHelp(
        candidate=candidate.name,
        worker=request.worker,
        tried=tried,
        seconds=round(time.perf_counter() - began, 3),
    )


def _help(context: Context, request: SearchRequest, candidate: Candidate, board: Board) -> int:
    from pipelines.data import labelled_rows
    from pipelines.training.candidate_fit import help_search
    from pipelines.training.own.process import own_code_of
    from pipelines.training.preparation import prepare

    split = labelled_rows.split(context, request.features)
    rows = prepare(split.train, split.holdout, context.spec)
    if why_not_trained(context.spec, candidate, len(rows.y)):
        return 0
    with own_code_of(context) as own:
        return help_search(context, candidate, rows, own, board)
