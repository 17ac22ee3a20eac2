"""The models of the repository, each with raw batches of real data in a home of its own."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.context import Context
from pipelines.data.batches import read_plan
from pipelines.data.feature_files import build_file
from pipelines.data.plan_types import plan_types
from pipelines.ledger import MemoryLedger
from pipelines.messages import IngestRequest
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import load_settings
from pipelines.spec import load_spec
from pipelines.steps import ingest, validate
from pipelines.store.memory import MemoryStore
from pipelines.validation.suites import read_suite
from pipelines.versions.memory import MemoryVersions
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.data.feature_files import BuiltFile
    from pipelines.steps.validate import BatchFindings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AS_OF = {
    "flight_delays": "2013-04-01T00:00:00Z",
    "bike_demand": "2011-06-01T00:00:00Z",
    "bike_days": "2011-06-01T00:00:00Z",
    "bike_range": "2011-06-01T00:00:00Z",
    "hotel_bookings": "2015-11-01T00:00:00Z",
    "metro_traffic": "2016-08-01T00:00:00Z",
}
"""When a model looks back; the others have no time."""


@dataclass(frozen=True)
class Model:
    """A model and a plan of its batches."""

    context: Context
    plan: Any

    def changed(self, **changes: Any) -> Context:
        """The model's context with these settings."""
        settings = self.context.settings.replace(**changes)
        return Context(self.context.spec, settings, self.context.ports)

    def judge(self, **changes: Any) -> BatchFindings:
        """Judge the newest batch anew, with these settings."""
        suites = {table: read_suite(path) for table, path in self.context.suites.items()}
        newest = [*self.plan.train, *self.plan.holdout][-1]
        return validate.findings_of(self.changed(**changes), newest, suites, force=True)

    def build(self, folder: Path, batches: int = 2, **changes: Any) -> list[BuiltFile]:
        """Build the features of the newest batches, with these settings."""
        folder.mkdir()
        context = self.changed(**changes)
        types = plan_types(context.ports.store, context.spec, self.plan)
        newest = [*self.plan.train, *self.plan.holdout][-batches:]
        return [build_file(context, self.plan, batch, types, folder) for batch in newest]


def ingested(name: str, home: Path) -> Model:
    """Copy a model of the repository, and take in what it learns from."""
    folder = next(p for p in (ROOT / "models" / name, ROOT / "examples" / name) if p.is_dir())
    target = home / "models" / name
    target.parent.mkdir(parents=True)
    shutil.copytree(folder, target)
    shutil.copy(ROOT / "requirements.txt", home)
    _replace_far_source(target, name)
    suites = folder.parent / "expectations"
    suites = suites if suites.is_dir() else ROOT / "expectations"
    shutil.copytree(suites, home / "expectations")
    settings = load_settings({"PERENNIAL_HOME": str(home), "PERENNIAL_STATE": str(home / "var")})
    ports = Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
    context = Context(load_spec(settings.models, name), settings, ports)
    conf = {"as_of": AS_OF[name]} if name in AS_OF else {}
    result = ingest.run(context, IngestRequest(run="spark", now=NOW, conf=conf))
    return Model(context, read_plan(ports.store, result.plan))


def _replace_far_source(folder: Path, name: str) -> None:
    """Let a model whose source is on the network read the same file from the disk."""
    if name != "bike_demand":
        return
    spec = folder / "model.yaml"
    text = spec.read_text()
    begin, end = text.index("  kind: http"), text.index("  first:")
    file = os.environ["BIKE_SHARING"]
    spec.write_text(f"{text[:begin]}  kind: files\n  uri: {file}\n{text[end:]}")
