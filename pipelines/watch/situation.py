"""What a policy is told of a window, read from the ledger and from what `drift` found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.incidents import forgiven_at
from pipelines.ledger import GateVerdict
from pipelines.science.policy import Situation, refused_in_a_row
from pipelines.verdicts.explanations import broken_words
from pipelines.watch.retrain_requests import past_requests

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.ledger import Ledger
    from pipelines.messages import DriftResult
    from pipelines.spec.retrain import By


def situation_of(context: Context, result: DriftResult, moment: datetime) -> Situation:
    """Return what is known at a moment, by the ledger's clock, of a window that was looked at.

    What only one policy asks for is read for that one alone.
    """
    ledger, model, by = context.ports.ledger, context.spec.name, context.spec.policy.by
    return Situation(
        moment=moment,
        window_end=result.window.end,
        verdict=result.verdict,
        broken=_broken(result),
        follows=result.effect.follows if result.effect is not None else None,
        worse=_is_worse(context, result, by),
        rows=result.rows,
        length=result.window.end - result.window.start,
        learnt_until=learnt_until(ledger, model) if by == "schedule" else None,
        past=past_requests(ledger, model),
        forgiven=last_forgiven(ledger, model),
    )


def is_stopped(context: Context, moment: datetime) -> bool:
    """Tell whether so many challengers were refused in a row that the policy has stopped."""
    ledger, model, policy = context.ports.ledger, context.spec.name, context.spec.policy
    if policy.stop_after_refused is None:
        return False
    situation = Situation(
        moment=moment,
        window_end=moment,
        verdict="drift",
        past=past_requests(ledger, model),
        forgiven=last_forgiven(ledger, model),
    )
    return len(refused_in_a_row(situation)) >= policy.stop_after_refused


def last_forgiven(ledger: Ledger, model: str) -> datetime | None:
    """Return since when refusals count: a version became champion, or a person closed the incident.

    None where neither has happened.
    """
    champion, closed = ledger.champion(model), forgiven_at(ledger, model)
    moments = [at for at in (closed, champion.since if champion else None) if at is not None]
    return max(moments, default=None)


def learnt_until(ledger: Ledger, model: str) -> datetime | None:
    """Return up to when the rows of the newest retraining reached, whoever started it.

    None before the first. A request counts from when it was asked for.
    """
    verdicts = [entry.decision for entry in ledger.entries(model, "verdict")]
    ends = [verdict.as_of for verdict in verdicts if isinstance(verdict, GateVerdict)]
    return max([*ends, *(r.window_end for r in past_requests(ledger, model))], default=None)


def _broken(result: DriftResult) -> str:
    """Return in words what may be broken upstream; "" where nothing seems to be."""
    cause = result.cause
    return "" if cause is None else broken_words(cause.kind, cause.detail, cause.sureness)


def _is_worse(context: Context, result: DriftResult, by: By) -> bool | None:
    """Tell whether the champion does worse than promised; None where nothing was measured."""
    if by != "performance":
        return None
    figures: dict[str, Any] = json.loads(context.ports.store.get(result.figures))
    worse = figures.get("worse")
    return None if worse is None else bool(worse)
