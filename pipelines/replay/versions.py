"""The version that a retraining at a moment makes, whatever policy asks for it: made once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import Field

from pipelines.errors import GiveUp, TryAgain
from pipelines.intervals import Moment, iso
from pipelines.judging.challenger import choose_challenger
from pipelines.judging.window import choose_window
from pipelines.messages import (
    FeaturesResult,
    GateResult,
    PackageRequest,
    TrainRequest,
    TrainResult,
)
from pipelines.refs import Ref, Value, digest
from pipelines.replay.features import RUN, build_features, feature_keys
from pipelines.steps import train
from pipelines.steps.package import make_bundle
from pipelines.store.results import once
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.replay.batches import Past

_SHOWN = 500


class Version(Value):
    """What a retraining at a moment came to; where it came to none, `why_none` says why.

    `key` is the hash of all that it follows from, and `seconds` what it took when it was made.
    """

    key: str
    moment: Moment
    candidate: str = ""
    bundle: Ref | None = None
    features: FeaturesResult | None = None
    train: list[TrainResult] = Field(default_factory=list)
    rows: int = 0
    seconds: float = 0.0
    why_none: str = ""

    @property
    def name(self) -> str:
        """What it is called: the moment at which it was made."""
        return iso(self.moment)

    @property
    def challenger(self) -> TrainResult:
        """The candidate that cross-validation chose."""
        return next(each for each in self.train if each.candidate == self.candidate)


def make_version(context: Context, past: Past, moment: datetime) -> Version:
    """Return the version of a retraining that lives in a moment: trained, chosen, fitted again.

    Whatever is wrong with its data is no error, but said in the version. Raises TryAgain.
    """
    try:
        plan = past.plan(context.spec, moment)
        key = version_key(context, past, plan)
    except GiveUp as error:
        return Version(key="", moment=moment, why_none=str(error)[:_SHOWN])
    return once(
        context.ports.store, "replay-version", key, Version, lambda: _make(context, plan, key)
    )


def version_key(context: Context, past: Past, plan: Plan) -> str:
    """Return the key of a version: its rows, its recipe and seed, its moment, the code."""
    return digest(past.recipe, feature_keys(context, plan), iso(plan.as_of), plan)


def _make(context: Context, plan: Plan, key: str) -> Version:
    began = time.perf_counter()
    try:
        with limit_threads(context.settings.threads):
            features = build_features(context, plan)
            trained = [
                train.run(context, TrainRequest(run=RUN, candidate=c.name, features=features))
                for c in context.spec.candidates
            ]
            best, _ = choose_challenger(context, trained)
            if best is None:
                return Version(key=key, moment=plan.as_of, why_none="no candidate has a score")
            verdict = _promotion(context, features, best, iso(plan.as_of))
            request = PackageRequest(run=RUN, features=features, train=trained, gate=verdict)
            packaged = make_bundle(context, request, best, compiles=False)
    except TryAgain:
        raise
    except GiveUp as error:
        return Version(key=key, moment=plan.as_of, why_none=str(error)[:_SHOWN])
    return Version(
        key=key,
        moment=plan.as_of,
        candidate=best.candidate,
        bundle=packaged.bundle,
        features=features,
        train=trained,
        rows=packaged.rows,
        seconds=round(time.perf_counter() - began, 3),
    )


def _promotion(
    context: Context, features: FeaturesResult, best: TrainResult, name: str
) -> GateResult:
    """Return the verdict by which a challenger is packaged; whether it serves is judged later."""
    window = choose_window(context, features, best)
    return GateResult(
        verdict="promote",
        reasons=[],
        checks=[],
        candidate=best.candidate,
        run_id=best.run_id,
        version=name,
        metrics=best.metrics,
        champion=None,
        **({"threshold": best.threshold} if best.threshold else {}),
        **({"window": window} if window else {}),
    )
