"""The model that is suggested: what its files say, before they are written as texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.intervals import BatchKind
    from pipelines.onboarding.choices import Target


@dataclass(frozen=True)
class Feature:
    """A built column: its name, what `build` writes for it ("" for the raw column as it is)."""

    name: str
    expression: str = ""


@dataclass
class Times:
    """How data with a time are cut; the moments as they stand in the spec."""

    column: str
    batch: BatchKind
    first: str
    until: str
    until_reason: str
    gaps: int
    window: int
    holdout: int
    step_seconds: int = 0
    """Of a plain series: how far apart its rows are. 0 for all other data."""
    rhythms: list[str] = field(default_factory=list)


@dataclass
class Draft:
    """A whole suggestion, with the reasons that stand beside it."""

    name: str
    place: str
    rows: int
    source: dict[str, Any]
    target: Target
    target_built: str
    times: Times | None
    key: list[str]
    """Empty where the key is made of the row's content."""
    features: list[Feature] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    identifiers: list[str] = field(default_factory=list)
    personal_key: list[str] = field(default_factory=list)
    min_rows: int = 100
    batch_rows: int = 0
    folds: int = 3
    floor: float = 0.0
    """The score of the best constant: of log_loss or mae, by the task."""
    drift_window: int = 1
    drift_min_rows: int = 500

    @property
    def inputs(self) -> list[str]:
        """The built inputs."""
        return [f.name for f in self.features]
