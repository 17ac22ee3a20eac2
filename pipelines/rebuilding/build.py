"""Features, training and package once more, each by the code that made them the first time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.data.batches import read_plan
from pipelines.data.feature_files import build_file
from pipelines.data.plan_types import plan_types
from pipelines.engine import work_folder
from pipelines.messages import GateResult, PackageRequest, TrainRequest
from pipelines.refs import sha256
from pipelines.steps import package, train
from pipelines.training.threads import limit_threads
from pipelines.versions.port import FeatureFile

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.ledger import GateVerdict
    from pipelines.messages import FeaturesResult, TrainResult
    from pipelines.recipes import Recipe
    from pipelines.refs import Ref


@dataclass
class Clock:
    """How long each part took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)

    def stop(self, part: str) -> None:
        """Write down what has passed since the part before."""
        now = time.perf_counter()
        self.seconds[part] = round(now - self._began, 2)
        self._began = now


def build_features(context: Context, recipe: Recipe) -> tuple[FeaturesResult, dict[str, bytes]]:
    """Build each batch of the recorded plan; return the features version, and its files by batch.

    Raises what `build_file` raises.
    """
    spec, store = context.spec, context.ports.store
    plan = read_plan(store, recipe.features.plan)
    types = plan_types(store, spec, plan)
    files: dict[str, bytes] = {}
    with work_folder(context.settings.spill) as folder:
        for batch in [*plan.train, *plan.holdout]:
            built = build_file(context, plan, batch, types, folder)
            files[batch.interval.name] = built.path.read_bytes()
            context.log.info("features %s: built %d rows", batch.interval.name, built.rows)
    changes = {
        name: (FeatureFile(key=sha256(data), sha256=sha256(data), rows=0), data)
        for name, data in files.items()
    }
    version = context.ports.versions.commit(spec.name, changes, "built again")
    parent = context.ports.registry.parent(spec.name, recipe.run, {})
    changed = {"version": version, "parent_run": parent}
    return recipe.features.model_copy(update=changed), files


def train_again(context: Context, recipe: Recipe, features: FeaturesResult) -> TrainResult:
    """Train the challenger's candidate: its search, its fit and its scores on the held-out rows."""
    request = TrainRequest(run=recipe.run, candidate=recipe.learnt.candidate, features=features)
    return train.run(context, request)


def package_again(
    context: Context,
    run: str,
    verdict: GateVerdict,
    features: FeaturesResult,
    trained: TrainResult,
) -> Ref:
    """Make the bundle once more and return its reference, in the workshop's own store."""
    request = PackageRequest(
        run=run, features=features, train=[trained], gate=verdict.part(GateResult)
    )
    with limit_threads(context.settings.threads):
        return package.make_bundle(context, request, trained).bundle
