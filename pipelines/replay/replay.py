"""`replay`: live through a model's past under several policies, and publish the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.errors import RequestError
from pipelines.messages import ReplayRequest, ReplayResult
from pipelines.plain_errors import in_one_line, problems
from pipelines.replay.contenders import parse_policy, usual
from pipelines.replay.page import render
from pipelines.replay.replaying import replay
from pipelines.replay.words import advice_lines
from pipelines.store.pages import publish_page
from pipelines.trigger_conf import ReplayConf

if TYPE_CHECKING:
    from pipelines.context import Context

_SHOWN = 400


def run(context: Context, request: ReplayRequest) -> ReplayResult:
    """Return which policy to take. A run that is cleared goes on where it was.

    Raises RequestError where the conf is wrong, and what `replay` raises.
    """
    conf = _conf(request)
    given = [
        parse_policy(body, context.spec, name=f"policy {place}", place=f"conf: policies.{place}")
        for place, body in enumerate(conf.policies, start=1)
    ]
    found = replay(
        context,
        [*usual(context.spec), *given],
        span=(conf.start, conf.end),
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


def _conf(request: ReplayRequest) -> ReplayConf:
    try:
        return ReplayConf.model_validate(request.conf)
    except ValidationError as error:
        faults = in_one_line(problems(error, request.conf, ReplayConf))
        raise RequestError(
            f"The run's conf is wrong: {faults}", remedy="see docs/replay.md."
        ) from error
