"""A small world to judge in: one binary model over seeded days, in memory, through the real
steps.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.proving.nature import (
    CHAMPIONS_HELD,
    FIRST,
    HELD,
    LEARNT,
    TODAY,
    Nature,
    Recipe,
    offers,
)
from pipelines.bundle.load import open_bundle
from pipelines.bundle.predictor import NativePredictor
from pipelines.bundle.rows import feed_from_table
from pipelines.context import Context
from pipelines.data import labelled_rows
from pipelines.data.manifests import BatchRef, Plan
from pipelines.intervals import Interval
from pipelines.judging.trial_server import running_server
from pipelines.ledger import Crown, MemoryLedger
from pipelines.messages import (
    FeaturesResult,
    GateRequest,
    PackageRequest,
    TrainRequest,
    TrainResult,
)
from pipelines.ports import Ports
from pipelines.refs import canonical, sha256
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import Settings
from pipelines.spec import parse_spec
from pipelines.steps import gate, package, train
from pipelines.store.memory import MemoryStore
from pipelines.tables import to_parquet
from pipelines.training import predictions
from pipelines.training.preparation import prepare
from pipelines.versions.memory import MemoryVersions
from pipelines.versions.port import FeatureFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from pipelines.judging.trial_server import Servers
    from pipelines.ledger import Champion

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Trained:
    """A challenger as `gate` is asked of it."""

    context: Context
    features: FeaturesResult
    result: TrainResult
    run: str

    @property
    def request(self) -> GateRequest:
        """What `gate` is asked."""
        return GateRequest(run=self.run, features=self.features, train=[self.result])

    @cached_property
    def held(self) -> pa.Table:
        """The held-out rows. Raises BadData where there are none."""
        return labelled_rows.holdout(self.context, self.features)[0]

    @property
    def truth(self) -> Array:
        """The labels of the held-out rows (n,): 0 or 1."""
        return self.held["taken"].to_numpy().astype(np.int64)

    @property
    def answers(self) -> Array:
        """What the challenger answers to the held-out rows (n,)."""
        store, spec = self.context.ports.store, self.context.spec
        return predictions.read(store, spec, self.result.predictions, self.held).score

    def answer(self, rows: pa.Table) -> Array:
        """Return what the stored model answers to other rows (n,)."""
        split = labelled_rows.split(self.context, self.features)
        schema = prepare(split.train, split.holdout, self.context.spec).schema
        native = NativePredictor(schema, self.context.ports.store.get(self.result.model))
        return native.predict_feed(feed_from_table(schema.columns, rows))[:, 0]


@dataclass
class World:
    """The days, the outside in memory, and what becomes of a model there."""

    home: Path
    seed: int = 1
    per_day: int = 100
    natures: Mapping[int, Nature] = field(default_factory=dict)
    """The nature of a day, where it is not today's."""
    ports: Ports = field(
        default_factory=lambda: Ports(
            store=MemoryStore(),
            versions=MemoryVersions(),
            registry=MemoryRegistry(),
            ledger=MemoryLedger(),
        )
    )
    servers: Servers = running_server
    """Gives the real server in which the gate asks a challenger."""
    runs: int = 0
    """How many runs there were; each has a name of its own."""

    def day(self, number: int) -> pa.Table:
        """Return the offers of a day."""
        nature = self.natures.get(number, TODAY)
        return offers(number, self.per_day, self.seed, nature)

    def context(self, recipe: Recipe) -> Context:
        """Return what a step of a model of the recipe may touch."""
        # The plots of a run are two thirds of the time that training takes here.
        settings = Settings(home=self.home, comparison_seconds=0, plots=False)
        spec = parse_spec(recipe.text.encode(), "model.yaml")
        return Context(spec, settings, self.ports, logging.getLogger("perennial.proof"))

    def build(
        self,
        context: Context,
        learnt: range,
        held: range,
        change: Callable[[int, pa.Table], pa.Table] | None = None,
    ) -> FeaturesResult:
        """Commit the days as features, each changed by `change`, and plan to learn and judge."""
        self.runs += 1
        files, batches = {}, {}
        for number in (*learnt, *held):
            table = self.day(number)
            data = to_parquet(change(number, table) if change else table)
            interval = Interval(
                start=FIRST + timedelta(days=number), end=FIRST + timedelta(days=number + 1)
            )
            key = sha256(data)
            files[interval.name] = (FeatureFile(key=key, sha256=key, rows=table.num_rows), data)
            manifest = self.ports.store.put(b"{}", ".json")
            batches[number] = BatchRef(interval=interval, version=1, manifest=manifest)
        model, as_of = context.spec.name, FIRST + timedelta(days=held[-1] + 1)
        plan = Plan(
            model=model,
            as_of=as_of,
            lookback=[],
            train=[batches[n] for n in learnt],
            holdout=[batches[n] for n in held],
        )
        return FeaturesResult(
            version=self.ports.versions.commit(model, files, f"run {self.runs}"),
            plan=self.ports.store.put(canonical(plan), ".json"),
            as_of=as_of,
            reason="a proof",
            force=False,
            rebuilt=len(files),
            reused=0,
            rows=len(files) * self.per_day,
            parent_run=self.ports.registry.parent(model, f"run-{self.runs}", {}),
        )

    def train(
        self,
        recipe: Recipe,
        learnt: range = LEARNT,
        held: range = HELD,
        change: Callable[[int, pa.Table], pa.Table] | None = None,
    ) -> Trained:
        """Return a challenger that the step `train` has trained."""
        context = self.context(recipe)
        built = self.build(context, learnt, held, change)
        run = f"run-{self.runs}"
        request = TrainRequest(run=run, candidate="tried", features=built)
        return Trained(context, built, train.run(context, request), run)

    def crown(self, recipe: Recipe, learnt: range = LEARNT) -> Champion:
        """Return the champion that a recipe becomes, packaged as ever.

        The last of the days `learnt` judge it; then it is fitted on all of them.
        """
        held = min(CHAMPIONS_HELD, len(learnt) // 2)
        trained = self.train(recipe, learnt[:-held], learnt[-held:])
        verdict = gate.run(trained.context, trained.request, self.servers)
        request = PackageRequest(
            run=trained.run, features=trained.features, train=[trained.result], gate=verdict
        )
        bundle = package.make_bundle(trained.context, request, trained.result)
        crown = Crown(version=bundle.version, bundle=bundle.bundle, release=1)
        ledger, name = self.ports.ledger, trained.context.spec.name
        ledger.crown(name, expected=None, champion=crown, key=trained.run)
        champion = ledger.champion(name)
        assert champion is not None
        return champion

    def champion_answers(self, rows: pa.Table) -> Array:
        """Return what the champion answers to rows (n,). Raises where it cannot."""
        champion = self.ports.ledger.champion("offers")
        assert champion is not None
        bundle = open_bundle(self.ports.store, champion.bundle, Settings(home=self.home))
        columns = bundle.manifest.inputs.columns
        return bundle.predictor.predict_feed(feed_from_table(columns, rows))[:, 0]


def with_answers(trained: Trained, change: Callable[[Array, pa.Table], Array]) -> Trained:
    """Return the challenger as if its model had answered otherwise.

    `change` takes its answers (n,) and the held-out rows.
    """
    store, spec, held = trained.context.ports.store, trained.context.spec, trained.held
    found = predictions.read(store, spec, trained.result.predictions, held)
    ref = predictions.write(
        store, spec, held, score=change(found.score, held), dummy=found.dummy, classes=None
    )
    result = trained.result.model_copy(update={"predictions": ref})
    return Trained(trained.context, trained.features, result, trained.run)


def scratch() -> Path:
    """Return a new, empty home."""
    return Path(tempfile.mkdtemp(prefix="perennial-proof-"))
