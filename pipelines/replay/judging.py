"""Whether a version may take over from the one that serves: the gate, asked in a replay."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipelines.intervals import Interval, iso
from pipelines.judging.measuring import measure_challenger
from pipelines.ledger import Champion, MemoryLedger, RetrainRequest
from pipelines.ledger.entries import RequestConf
from pipelines.messages import GateRequest
from pipelines.ports import Ports
from pipelines.refs import Value, digest
from pipelines.replay.features import build_features
from pipelines.replay.renewing import renewing_once
from pipelines.run_names import SCHEDULED
from pipelines.science.gate.verdict import judge
from pipelines.store.results import once
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.replay.batches import Past
    from pipelines.replay.versions import Version
    from pipelines.spec.gate import Gate
    from pipelines.spec.rules import Cause

GateName = Literal["spec", "better", "not_worse", "none"]
"""`spec` goes by the model's own rule, `none` lets every challenger serve."""


class ReplayVerdict(Value):
    """Whether a challenger was promoted, and why not, in words; `seconds` it took."""

    is_promoted: bool
    reasons: list[str] = Field(default_factory=list)
    seconds: float = 0.0


def judge_version(
    context: Context,
    past: Past,
    versions: tuple[Version, Version],
    gate: GateName,
    cause: Cause,
) -> ReplayVerdict:
    """Return the verdict on a version (the first) against the champion (the second), by a gate."""
    challenger, champion = versions
    if gate == "none":
        return ReplayVerdict(is_promoted=True)
    asked = gate_of(context.spec.gate, gate)
    key = digest(challenger.key, champion.key, asked, cause)

    def measure() -> ReplayVerdict:
        began = time.perf_counter()
        spec = context.spec.model_copy(update={"gate": asked})
        real = context.ports
        ports = Ports(real.store, real.versions, real.registry, _ledger(context, challenger, cause))
        own = replace(context, spec=spec, ports=ports)
        features = build_features(own, past.plan(spec, challenger.moment))
        request = GateRequest(run=_run(challenger), features=features, train=challenger.train)
        with limit_threads(context.settings.threads):
            facts = measure_challenger(
                own,
                request,
                challenger.challenger,
                as_champion(champion),
                renewing=renewing_once(challenger.key),
            )
        verdict = judge(facts, asked, spec.own_metrics)
        return ReplayVerdict(
            is_promoted=verdict.is_promoted,
            reasons=[reason[:300] for reason in verdict.reasons[:5]],
            seconds=round(time.perf_counter() - began, 3),
        )

    return once(context.ports.store, "replay-verdict", key, ReplayVerdict, measure)


def gate_of(gate: Gate, name: GateName) -> Gate:
    """Return a model's gate under another rule; its floors, guards and checks stay."""
    if name in {"spec", "none"}:
        return gate
    versus = gate.versus_champion.model_copy(update={"rule": name})
    return gate.model_copy(update={"versus_champion": versus})


def as_champion(version: Version) -> Champion:
    """Return a version as the ledger names who serves."""
    assert version.bundle is not None  # noqa: S101 -- only a version that was made ever serves
    return Champion(version=version.name, bundle=version.bundle, release=1, since=version.moment)


def _run(version: Version) -> str:
    return f"{SCHEDULED}{version.name}"


def _ledger(context: Context, challenger: Version, cause: Cause) -> MemoryLedger:
    """Return a ledger from which the gate learns what started the run."""
    ledger = MemoryLedger()
    if cause == "change":
        moment = challenger.moment
        request = RetrainRequest(
            run_id=_run(challenger),
            window=Interval(start=moment, end=moment),
            reasons=[],
            conf=RequestConf(as_of=moment, reason="replay"),
        )
        ledger.append(context.spec.name, iso(moment), request)
    return ledger
