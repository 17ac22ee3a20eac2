"""`plan_replay`: read a model's past once, and cut it into parts for tasks side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.messages import PlanReplayResult
from pipelines.replay.batches import choose_span, count_read
from pipelines.replay.conf import read_conf
from pipelines.replay.parts import cut
from pipelines.replay.replaying import MOST_WORKERS, count_cores, open_past
from pipelines.replay.workroom import refuse_what_has_no_batches

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import PlanReplayRequest

BATCHES = 40
"""Which one process checks in the time that another takes to start."""


def run(context: Context, request: PlanReplayRequest) -> PlanReplayResult:
    """Return the parts; the batches lie in the replay's own store afterwards.

    Raises RequestError where the conf is wrong or the model has no batches, Busy where it is being
    replayed already.
    """
    refuse_what_has_no_batches(context.spec)
    asked = read_conf(context.spec, request.conf)
    batches = count_read(context.spec, *choose_span(context.spec, *asked.span, request.now))
    count = min(count_cores(), MOST_WORKERS, 1 + batches // BATCHES)
    opened = open_past(context, asked.span, request.now, workers=count, say=context.log.info)
    with opened as (past, _):
        parts = cut(asked.contenders, past.intervals)
    context.log.info("%d batches, %d parts", len(past.intervals), len(parts))
    return PlanReplayResult(batches=len(past.intervals), parts=parts)
