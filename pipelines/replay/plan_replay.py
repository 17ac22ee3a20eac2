"""`plan_replay`: read a model's past once, and cut it into parts for tasks side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.messages import PlanReplayResult
from pipelines.replay.conf import read_conf
from pipelines.replay.parts import cut
from pipelines.replay.replaying import MOST_WORKERS, count_cores, open_past

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import PlanReplayRequest


def run(context: Context, request: PlanReplayRequest) -> PlanReplayResult:
    """Return the parts; the batches lie in the replay's own store afterwards.

    Raises RequestError where the conf is wrong or the model has no batches, Busy where it is being
    replayed already.
    """
    asked = read_conf(context.spec, request.conf)
    count = min(count_cores(), MOST_WORKERS)
    opened = open_past(context, asked.span, request.now, workers=count, say=context.log.info)
    with opened as (past, _):
        parts = cut(asked.contenders, past.intervals)
    context.log.info("%d batches, %d parts", len(past.intervals), len(parts))
    return PlanReplayResult(batches=len(past.intervals), parts=parts)
