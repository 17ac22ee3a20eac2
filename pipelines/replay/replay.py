"""`replay`: live through a model's past under several policies, and publish the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.messages import ReplayResult
from pipelines.replay.conf import read_conf
from pipelines.replay.page import render
from pipelines.replay.replaying import replay
from pipelines.replay.words import advice_lines
from pipelines.store.pages import publish_page

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import ReplayRequest

_SHOWN = 400


def run(context: Context, request: ReplayRequest) -> ReplayResult:
    """Return which policy to take. A run that is cleared goes on where it was.

    Raises RequestError where the conf is wrong, and what `replay` raises.
    """
    asked = read_conf(context.spec, request.conf)
    found = replay(
        context,
        asked.contenders,
        span=asked.span,
        now=request.now,
        say=lambda text: context.log.info("%s", text),
    )
    outcome, store = found.outcome, context.ports.store
    page = publish_page(
        store, model=outcome.model, kind="replay", run=request.run, page=render(found).encode()
    )
    return ReplayResult(
        recommended=outcome.advice.name,
        why=[line[:_SHOWN] for line in advice_lines(outcome)],
        metric=outcome.metric,
        batches=len(outcome.intervals),
        means={policy.name: policy.mean for policy in outcome.policies},
        retrainings={policy.name: policy.retrainings for policy in outcome.policies},
        page=page,
    )
