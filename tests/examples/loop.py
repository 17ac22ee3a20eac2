"""An example in a home of its own, and its loop up to the bundle, in this process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.bundle.load import open_bundle
from pipelines.context import Context
from pipelines.ledger import MemoryLedger
from pipelines.messages import (
    DriftRequest,
    FeaturesRequest,
    GateRequest,
    IngestRequest,
    PackageRequest,
    TrainRequest,
    ValidateRequest,
)
from pipelines.onboarding.folder import copy_example
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import load_settings
from pipelines.spec import load_spec
from pipelines.steps import drift, features, gate, ingest, package, train, validate
from pipelines.store.memory import MemoryStore
from pipelines.versions.memory import MemoryVersions
from tests.conftest import ROOT
from tests.decisions import crown
from tests.worlds import FOR_NOBODY

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.bundle.load import OpenBundle
    from pipelines.messages import (
        DriftResult,
        FeaturesResult,
        GateResult,
        PackageResult,
        TrainResult,
    )

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    """What came of the loop."""

    context: Context
    built: FeaturesResult
    trained: list[TrainResult]
    judged: GateResult
    packaged: PackageResult

    @property
    def bundle(self) -> OpenBundle:
        return open_bundle(self.context.ports.store, self.packaged.bundle)


def copy(example: str, home: Path) -> Context:
    """Copy the example into a home of its own, with ports in memory."""
    home.mkdir(parents=True)
    shutil.copy(ROOT / "requirements.txt", home)
    settings = load_settings(
        {
            "PERENNIAL_HOME": str(home),
            "PERENNIAL_STATE": str(home / "var"),
            **FOR_NOBODY,
            "PERENNIAL_COMPARISON_SECONDS": "1",
        }
    )
    copy_example(settings, example, example, force=False)
    ports = Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
    return Context(load_spec(settings.models, example), settings, ports)


def live(context: Context, **conf: Any) -> Run:
    """Run the loop up to the bundle of its challenger, which must be promoted."""
    run = "example"
    ingested = ingest.run(context, IngestRequest(run=run, now=NOW, conf=conf))
    validated = validate.run(context, ValidateRequest(run=run, ingest=ingested))
    built = features.run(context, FeaturesRequest(run=run, ingest=ingested, validate=validated))
    trained = [
        train.run(context, TrainRequest(run=run, candidate=c.name, features=built))
        for c in context.spec.candidates
    ]
    judged = gate.run(context, GateRequest(run=run, features=built, train=trained))
    assert judged.verdict == "promote", judged.reasons
    packaged = package.run(
        context, PackageRequest(run=run, features=built, train=trained, gate=judged)
    )
    return Run(context, built, trained, judged, packaged)


def watch(run: Run, **conf: Any) -> DriftResult:
    """Crown the bundle, and look at a window of batches with it."""
    context, model = run.context, run.context.spec.name
    champion = crown(run.packaged.version, run.packaged.bundle)
    context.ports.ledger.crown(model, expected=None, champion=champion, key="example")
    ingested = ingest.run(context, IngestRequest(run="watch", now=NOW, purpose="drift", conf=conf))
    validated = validate.run(context, ValidateRequest(run="watch", ingest=ingested))
    return drift.run(context, DriftRequest(run="watch", ingest=ingested, validate=validated))
