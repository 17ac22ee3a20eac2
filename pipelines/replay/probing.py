"""What a retraining would have gained at a moment: the live probe, asked in a replay."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.judging.retraining_gain import measure_gain
from pipelines.ledger import GateVerdict, MemoryLedger
from pipelines.messages import GateRequest
from pipelines.ports import Ports
from pipelines.recipes import keep_recipe
from pipelines.refs import Value, digest
from pipelines.replay.features import RUN
from pipelines.replay.judging import as_champion
from pipelines.store.results import once

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.replay.batches import Past
    from pipelines.replay.versions import Version


class ProbedGain(Value):
    """By how much per row a newer fit is better: measured, and the lower end of its interval.

    None where it cannot be told, and then `why` says why. `seconds` it took.
    """

    expected: float | None = None
    proven: float | None = None
    why: str = ""
    seconds: float = 0.0


def probe_gain(context: Context, past: Past, champion: Version, moment: datetime) -> ProbedGain:
    """Return what the live probe finds at a moment, beside a champion."""
    known = {n: b.manifest.sha256 for n, b in past.batches.items() if b.interval.end <= moment}
    key = digest(past.recipe, champion.key, iso(moment), known)

    def measure() -> ProbedGain:
        began = time.perf_counter()
        real = context.ports
        ledger = _ledger(context, champion)
        own = replace(context, ports=Ports(real.store, real.versions, real.registry, ledger))
        found = measure_gain(own, as_champion(champion), moment)
        return ProbedGain(
            expected=found.expected,
            proven=found.proven,
            why=found.why[:300],
            seconds=round(time.perf_counter() - began, 3),
        )

    return once(context.ports.store, "replay-gain", key, ProbedGain, measure)


def _ledger(context: Context, champion: Version) -> MemoryLedger:
    """Return a ledger that knows how the champion was made, as the probe asks it."""
    assert champion.features is not None  # noqa: S101 -- only a version that was made ever serves
    best, ledger = champion.challenger, MemoryLedger()
    request = GateRequest(run=RUN, features=champion.features, train=[best])
    verdict = GateVerdict(
        verdict="promote",
        reasons=[],
        checks=[],
        candidate=best.candidate,
        run_id=best.run_id,
        version=champion.name,
        metrics=best.metrics,
        champion=None,
        features_revision=champion.features.version.revision,
        as_of=champion.moment,
        started_because=RUN,
        made_from=keep_recipe(context, request, best.candidate),
    )
    ledger.append(context.spec.name, RUN, verdict)
    return ledger
