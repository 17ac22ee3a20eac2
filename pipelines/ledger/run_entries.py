"""What the steps of a run record on the way to a verdict: references and facts, below 8 kB.

Ledgers of earlier versions lack these entries; whoever reads them says so.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.intervals import Moment
from pipelines.ledger.decision import Decision
from pipelines.messages import Sampled
from pipelines.refs import Ref, Sha256
from pipelines.verdicts import words


class StepOfRun(Decision):
    """What one step of the run `run` did."""

    run: str

    @property
    def words(self) -> str:
        """It in words, as a list of decisions shows it."""
        raise NotImplementedError


class Ingest(StepOfRun):
    """Batches that a run reads; `plan` names each with its manifest (`data.manifests.Plan`)."""

    kind: Literal["ingest"] = "ingest"
    purpose: Literal["retrain", "drift"]
    plan: Ref
    as_of: Moment
    batches: int
    reason: str = ""
    left_out: list[str] = Field(default_factory=list)
    """Batches that are held in quarantine, each with the reason in words."""

    @property
    def words(self) -> str:
        """Which batches are read, and what for, and which are left out."""
        return words.ingest_entry(self.batches, self.purpose, self.reason, self.left_out)


class Validation(StepOfRun):
    """Batches of a plan that broke no critical expectation.

    `suites` are the SHA-256 of the expectations' files, by table.
    """

    kind: Literal["validation"] = "validation"
    plan: Ref
    batches: int
    rows: int
    expectations: int
    warnings: int
    suites: dict[str, Sha256]

    @property
    def words(self) -> str:
        """What held on the batches."""
        return words.validation_entry(self.batches, self.rows, self.expectations, self.warnings)


class Features(StepOfRun):
    """A features version, and the plan whose batches it was built from.

    `engines` are those that built its new files, where one was not DuckDB.
    """

    kind: Literal["features"] = "features"
    plan: Ref
    revision: str
    sha256: Sha256
    rows: int
    engines: list[str] = Field(default_factory=list)

    @property
    def words(self) -> str:
        """Which version it is."""
        return words.features_entry(self.revision, self.rows, self.engines)


class Training(StepOfRun):
    """A candidate that was trained, or skipped. `run_id` is its run in the registry.

    `code` is the hash of the model's code, `lock` that of requirements.txt (empty where there is
    none), `environment` that of the model's packages beside the lock. `sampled` says how many rows
    stand for all, where there were more than memory holds.
    """

    kind: Literal["training"] = "training"
    candidate: str
    run_id: str
    estimator: str
    features_revision: str
    rows: int
    seed: int
    code: str
    lock: str = ""
    environment: Sha256 | None = None
    skipped: str = ""
    sampled: Sampled | None = None

    @property
    def words(self) -> str:
        """What was learnt from how much, or why nothing."""
        said = words.training_entry(
            self.candidate, self.estimator, self.rows, self.seed, self.skipped
        )
        return f"{said}; {words.sampled(self.sampled)}" if self.sampled else said
