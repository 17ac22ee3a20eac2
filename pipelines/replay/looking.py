"""The look at a window with a champion's eyes, by what the live drift step looks with.

Of the replay this is the one place that knows how a window is looked at.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import Field

from pipelines.intervals import Interval
from pipelines.messages import DriftVerdict
from pipelines.refs import Value, canonical, digest
from pipelines.replay.judging import as_champion
from pipelines.science.drift import is_worse
from pipelines.science.effects.effect import Follows
from pipelines.store.results import once
from pipelines.training.threads import limit_threads
from pipelines.verdicts.explanations import broken_words
from pipelines.watch.champion_look import observe_window

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.replay.batches import Past
    from pipelines.replay.versions import Version

_FORM = "cause, and effect and decisions by days that may be alike"
"""A part of the name of a look that is kept: what it holds."""
NOBODY_LOOKS = "a batch of the window is broken or not there, so that nobody could look at it"


class Look(Value):
    """What a look found: the verdict, what may be `broken` upstream ("" where nothing seems to be).

    What `follows` from the window's change (None where nobody could say), whether the champion does
    `worse` than on its holdout (None where that cannot be told), and the rows of the window;
    `seconds` it took.
    """

    verdict: DriftVerdict
    reasons: list[str] = Field(default_factory=list)
    worse: bool | None = None
    broken: str = ""
    follows: Follows | None = None
    rows: int = 0
    seconds: float = 0.0


def look_back(context: Context, past: Past, champion: Version, moment: datetime) -> Look:
    """Return what a look at the window that ends at a moment finds.

    The spec must say how drift is looked for. A window that is not whole is an alarm, as a live run
    would end red on it.
    """
    spec, rules = context.spec, context.spec.drift
    assert rules is not None  # noqa: S101 -- the caller asks only where it is said
    count = rules.window if isinstance(rules.window, int) else 1
    plan = past.window(spec, moment, count)
    if plan is None:
        return Look(verdict="alarm", reasons=[NOBODY_LOOKS])
    key = digest(_FORM, champion.key, plan, rules, spec.alike, spec.train.metric)
    return once(
        context.ports.store, "replay-look", key, Look, lambda: _look(context, plan, champion)
    )


def _look(context: Context, plan: Plan, champion: Version) -> Look:
    began = time.perf_counter()
    batches = plan.holdout
    window = Interval(start=batches[0].interval.start, end=plan.as_of)
    with limit_threads(context.settings.threads):
        found = observe_window(
            context,
            context.ports.store.put(canonical(plan), ".json"),
            window,
            as_champion(champion),
        )
    cause = found.explanation.cause if found.explanation else None
    effect = found.explanation.effect if found.explanation else None
    return Look(
        verdict=found.decision.verdict,
        reasons=[reason[:300] for reason in found.decision.reasons[:5]],
        worse=is_worse(found.facts),
        broken=broken_words(cause.kind, cause.detail, cause.sureness) if cause else "",
        follows=effect.follows if effect else None,
        rows=found.facts.rows,
        seconds=round(time.perf_counter() - began, 3),
    )
