"""A model that lives through its months: trained at the start of each, renewed by each policy."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from pipelines.bundle.load import open_bundle
from pipelines.bundle.rows import feed_from_table
from pipelines.context import Context
from pipelines.data import labelled_rows
from pipelines.data.batches import read_plan
from pipelines.errors import BadData
from pipelines.intervals import Interval, containing, iso
from pipelines.ledger import Crown, MemoryLedger
from pipelines.messages import (
    FeaturesRequest,
    GateRequest,
    IngestRequest,
    PackageRequest,
    TrainRequest,
    ValidateRequest,
)
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.science.metrics import score
from pipelines.settings import load_settings
from pipelines.spec import load_spec
from pipelines.steps import features, gate, ingest, package, train, validate
from pipelines.store.memory import MemoryStore
from pipelines.training.targets import classes_of, targets
from pipelines.versions.memory import MemoryVersions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.messages import FeaturesResult, GateResult, PackageResult, TrainResult

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PERENNIAL_DATA") or ROOT.parent / "shared" / "data")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEVER, ALWAYS, BETTER, DEFAULT = (
    "never retrain",
    "always refit",
    "the gate, only better",
    "the gate by default",
)
POLICIES = (NEVER, ALWAYS, BETTER, DEFAULT)
RUNS = {
    NEVER: "never__",
    ALWAYS: "always__",
    BETTER: "manual__",  # a person's run must be proven better
    DEFAULT: "scheduled__",
}
"""How the runs of a policy are named, by which the gate knows what started them."""


@dataclass(frozen=True)
class Life:
    """A model, the month at whose start it is trained first, and how its data come to it."""

    model: str
    folder: str
    first: datetime
    file: str = ""
    variable: str = ""
    """The variable of the environment that names the file; without one it is put in the cache."""

    @property
    def data(self) -> Path | None:
        """Where the file is; None where none is needed. It may not be there."""
        return DATA / self.file if self.file else None


LIVES = (
    Life("bike_demand", "models", datetime(2011, 3, 1, tzinfo=UTC), file="bike_sharing/hour.csv"),
    Life(
        "hotel_bookings",
        "examples",
        datetime(2015, 9, 1, tzinfo=UTC),
        file="hotel_bookings/hotel_bookings.csv.zip",
        variable="HOTEL_BOOKINGS",
    ),
    Life("flight_delays", "models", datetime(2013, 3, 1, tzinfo=UTC)),
    Life(
        "metro_traffic",
        "examples",
        datetime(2013, 10, 1, tzinfo=UTC),
        file="metro_traffic/Metro_Interstate_Traffic_Volume.csv",
        variable="METRO_TRAFFIC",
    ),
)


class Replay:
    """One model that lives through its months: one training for all policies, a ledger for each."""

    def __init__(self, life: Life, home: Path) -> None:
        """Lay the model's folder, its suites and its data below `home`."""
        self._life = life
        context = self._lay_out(home)
        self._contexts = {
            policy: replace(context, ports=replace(context.ports, ledger=MemoryLedger()))
            for policy in POLICIES
        }
        self._context = context

    def _lay_out(self, home: Path) -> Context:
        life = self._life
        shutil.copytree(ROOT / life.folder / life.model, home / "models" / life.model)
        suites = ROOT / ("expectations" if life.folder == "models" else "examples/expectations")
        (home / "expectations").mkdir()
        for suite in suites.glob(f"{life.model}*.json"):
            shutil.copy(suite, home / "expectations")
        shutil.copy(ROOT / "requirements.txt", home)
        settings = load_settings(
            {
                "PERENNIAL_HOME": str(home),
                "PERENNIAL_STATE": str(home / "var"),
                "PERENNIAL_COMPARISON_SECONDS": "0",
            }
        )
        spec = load_spec(settings.models, life.model)
        if life.data is not None and life.variable:
            os.environ[life.variable] = str(life.data)
        elif life.data is not None:
            cache = settings.state / "cache" / "http"
            cache.mkdir(parents=True)
            shutil.copy(life.data, cache / spec.source.member_sha256)
        ports = Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
        return Context(spec, settings, ports, logging.getLogger("perennial.replay"))

    def live(self, most: int | None) -> dict[str, list[float]]:
        """Return what serves under each policy scored on each month, or on the first `most`."""
        scores: dict[str, list[float]] = {policy: [] for policy in POLICIES}
        month = containing(self._life.first, "month")
        until = self._context.spec.source.until
        built = self._build(month.start)
        self._renew(built, month)
        while month.end <= until and len(scores[NEVER]) != most:
            built, served = self._build(month.end), month
            month = containing(month.end, "month")
            if built is None:
                continue
            rows = self._rows(built, served)
            if rows is not None:
                for policy in POLICIES:
                    scores[policy].append(self._score(policy, rows))
                self._print(served, scores)
            if month.end <= until:
                self._renew(built, month)
        return scores

    def _print(self, month: Interval, scores: dict[str, list[float]]) -> None:
        found = ", ".join(f"{policy} {scores[policy][-1]:.4f}" for policy in POLICIES)
        print(f"{self._life.model} {month.name[:7]}: {found}", flush=True)

    def _build(self, moment: datetime) -> FeaturesResult | None:
        """Return the features of a retraining at a moment; None where it has no batches to go by.

        Months in which nothing was measured end so.
        """
        context, run = self._context, iso(moment)
        conf = {"as_of": iso(moment), "reason": "schedule"}
        try:
            ingested = ingest.run(context, IngestRequest(run=run, now=NOW, conf=conf))
            judged = validate.run(context, ValidateRequest(run=run, ingest=ingested))
            request = FeaturesRequest(run=run, ingest=ingested, validate=judged)
            return features.run(context, request)
        except BadData as error:
            print(f"{self._life.model}: no retraining at {iso(moment)}: {error}", flush=True)
            return None

    def _renew(self, built: FeaturesResult | None, month: Interval) -> None:
        """Train a challenger at the start of a month, and let each policy decide on it."""
        if built is None:
            return
        context, run = self._context, iso(month.start)
        try:
            with patch("pipelines.training.candidate_run.attach_plots"):
                trained = [
                    train.run(context, TrainRequest(run=run, candidate=c.name, features=built))
                    for c in context.spec.candidates
                ]
        except BadData as error:
            print(f"{self._life.model}: no challenger at {iso(month.start)}: {error}", flush=True)
            return
        packaged: PackageResult | None = None
        for policy in POLICIES:
            verdict = self._judge(policy, run, built, trained)
            if verdict is None:
                continue
            # All policies serve the same challenger: it is packaged once.
            packaged = packaged or self._package(run, built, trained, verdict)
            self._crown(policy, packaged, run)

    def _judge(
        self, policy: str, run: str, built: FeaturesResult, trained: Sequence[TrainResult]
    ) -> GateResult | None:
        """Return the verdict where the policy lets the challenger serve; else None."""
        context = self._contexts[policy]
        champion = context.ports.ledger.champion(context.spec.name)
        if champion is not None and policy == NEVER:
            return None
        request = GateRequest(run=RUNS[policy] + run, features=built, train=trained)
        verdict = gate.run(context, request)
        lets = champion is None or policy == ALWAYS or verdict.verdict == "promote"
        return verdict if lets and verdict.candidate else None

    def _package(
        self,
        run: str,
        built: FeaturesResult,
        trained: Sequence[TrainResult],
        verdict: GateResult,
    ) -> PackageResult:
        best = next(each for each in trained if each.candidate == verdict.candidate)
        request = PackageRequest(run=run, features=built, train=list(trained), gate=verdict)
        return package.make_bundle(self._context, request, best)

    def _crown(self, policy: str, packaged: PackageResult, run: str) -> None:
        ledger, model = self._contexts[policy].ports.ledger, self._context.spec.name
        before = ledger.champion(model)
        # A version is crowned once in a ledger, so each policy's has the run's name.
        crown = Crown(version=packaged.version, bundle=packaged.bundle, release=1)
        expected = before.version if before else None
        ledger.crown(model, expected=expected, champion=crown, key=run)

    def _rows(self, built: FeaturesResult, month: Interval) -> pa.Table | None:
        """Return the month's rows with a label; None where it has none."""
        plan = read_plan(self._context.ports.store, built.plan)
        batches = [batch for batch in plan.batches if batch.interval == month]
        if not batches:
            return None
        try:
            return labelled_rows.read_known_rows(self._context, built, batches, by=built.as_of)
        except BadData:
            return None

    def _score(self, policy: str, rows: pa.Table) -> float:
        """Return what the champion of a policy scores on the rows, in train.metric."""
        context = self._contexts[policy]
        spec, champion = context.spec, context.ports.ledger.champion(context.spec.name)
        assert champion is not None
        bundle = open_bundle(context.ports.store, champion.bundle, context.settings)
        feed = feed_from_table(bundle.manifest.inputs.columns, rows)
        answers = bundle.predictor.predict_feed(feed)[:, 0]
        truth = targets(rows, spec, classes_of(rows, spec))
        return float(score(spec.train.metric, truth, answers))
