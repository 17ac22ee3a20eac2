"""`prepare_replay`: make, judge and score the versions of one part of a model's past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.messages import PrepareReplayResult
from pipelines.replay.conf import read_conf
from pipelines.replay.parts import prepare_part
from pipelines.replay.replaying import open_past

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import PrepareReplayRequest


def run(context: Context, request: PrepareReplayRequest) -> PrepareReplayResult:
    """Return what was made; one that is cleared finds what an earlier try has made.

    It computes in this process alone: the other cores are for the other parts. Raises RequestError
    where the conf or the part is wrong, Busy where the model is being replayed by another run.
    """
    asked = read_conf(context.spec, request.conf)
    say = context.log.info
    opened = open_past(context, asked.span, request.now, workers=1, shared=True, say=say)
    with opened as (past, ask):
        made, verdicts = prepare_part(request.part, asked.contenders, past.intervals, ask)
    none = sum(version.bundle is None for version in made)
    return PrepareReplayResult(
        part=request.part.name,
        versions=len(made) - none,
        none=none,
        verdicts=len(verdicts),
        seconds=round(sum(v.seconds for v in made) + sum(v.seconds for v in verdicts), 3),
    )
