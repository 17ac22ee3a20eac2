"""What the Registry port promises: runs, metrics and model versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from pipelines.refs import Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RunState = Literal["FINISHED", "FAILED", "KILLED"]


class ModelVersion(Value):
    """One registered version of a model, with the run that made it."""

    version: str
    run_id: str
    tags: dict[str, str]


class Registry(Protocol):
    """Runs, metrics and versions. Everything is idempotent by key: again finds what is there."""

    def parent(self, model: str, run: str, tags: Mapping[str, str]) -> str:
        """Return the id of the one parent run of a DAG run; it is opened at the first call."""
        ...

    def child(self, model: str, parent: str, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Return the id of a child run by its key; it is opened at the first call."""
        ...

    def log(self, run_id: str, *, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Add parameters (longer ones cut at 6,000 characters), metrics and tags; the same again changes nothing."""
        ...

    def attach(self, run_id: str, file: Path, folder: str) -> None:
        """Add a file (a plot, a page) to a run's artifacts."""
        ...

    def close(self, run_id: str, state: RunState) -> None:
        """End a run."""
        ...

    def state(self, run_id: str) -> str:
        """Return RUNNING, FINISHED, FAILED or KILLED."""
        ...

    def register(self, model: str, run_id: str, key: str, model_file: Path, tags: Mapping[str, str]) -> ModelVersion:
        """Log the skops file as the run's model and register it as the next version, once per key."""
        ...

    def versions(self, model: str) -> list[ModelVersion]:
        """Return the versions, oldest first."""
        ...

    def alias(self, model: str) -> str | None:
        """Return the version that the alias `champion` names, or None."""
        ...

    def point(self, model: str, version: str | None) -> None:
        """Set (or with None remove) the alias `champion`; it follows the ledger, never the other way round."""
        ...

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the newest value of each metric of a run."""
        ...

    def page(self, run_id: str) -> str | None:
        """Return the web address of a run, where the tracking server has a UI; else None."""
        ...
