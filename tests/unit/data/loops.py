"""The loop of the small world up to its features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.data.batches import read_plan
from pipelines.messages import FeaturesRequest, IngestRequest, ValidateRequest
from pipelines.steps import features, ingest, validate
from pipelines.tables import from_parquet
from tests.worlds import World, as_of

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.messages import FeaturesResult, IngestResult, ValidateResult
    from pipelines.ports import Ports

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f"2024-01-0{d}T00" for d in range(1, 9)]


@dataclass(frozen=True)
class Run:
    """The loop of a world up to its features."""

    world: World
    ports: Ports

    @property
    def context(self) -> Context:
        return self.world.context(self.ports)

    def ingest(self, day: int = 6, **conf: str) -> IngestResult:
        return ingest.run(
            self.context,
            IngestRequest(
                run="r",
                now=NOW,
                conf=conf or {"as_of": as_of(day)},
                purpose="drift" if conf else "retrain",
            ),
        )

    def validate(self, ingested: IngestResult) -> ValidateResult:
        return validate.run(self.context, ValidateRequest(run="r", ingest=ingested))

    def build(self, day: int = 6) -> FeaturesResult:
        ingested = self.ingest(day)
        return features.run(
            self.context,
            FeaturesRequest(run="r", ingest=ingested, validate=self.validate(ingested)),
        )

    def types(self, built: FeaturesResult, column: str) -> list[str]:
        """The built column's type in each batch."""
        names = sorted(self.ports.versions.files("sales", built.version.revision))
        paths = self.ports.versions.fetch("sales", built.version, names)
        return [str(from_parquet(path).schema.field(column).type) for path in paths]

    def plan(self, ingested: IngestResult) -> Plan:
        return read_plan(self.ports.store, ingested.plan)


def with_column(loop, day, **columns):
    loop.world.rewrite(day, loop.world.frame(day).assign(**columns))
