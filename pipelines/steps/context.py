"""What a step may touch: its model's spec and the four ports, each made when it is first asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.refs import digest, sha256
from pipelines.store import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.anchors import Anchor
    from pipelines.ledger import Ledger
    from pipelines.registry.mlflow import MlflowRegistry
    from pipelines.registry.port import Registry
    from pipelines.settings import Settings
    from pipelines.spec import Spec
    from pipelines.store import Store
    from pipelines.versions.port import Versions


@dataclass(frozen=True)
class Ports:
    """The outside: store, versions, registry, ledger."""

    store: Store
    versions: Versions
    registry: Registry
    ledger: Ledger


class EmbeddedPorts:
    """The embedded default of each port, imported and opened at first use (a step that needs no MLflow pays for none)."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings only."""
        self._settings = settings

    @cached_property
    def store(self) -> Store:
        """A local folder."""
        return LocalStore(self._settings.store_dir)

    @cached_property
    def versions(self) -> Versions:
        """A git repository with DVC and a local remote."""
        from pipelines.versions.dvc import DvcVersions

        return DvcVersions(self._settings.versions_dir, lock_timeout=self._settings.lock_timeout_seconds)

    @cached_property
    def registry(self) -> Registry:
        """MLflow."""
        return self._mlflow

    @cached_property
    def _mlflow(self) -> MlflowRegistry:
        from pipelines.registry.mlflow import MlflowRegistry

        settings = self._settings
        artifacts = settings.state_dir / "mlflow" / "artifacts"
        return MlflowRegistry(settings.mlflow, artifacts, proxied=settings.mlflow_proxied, public=settings.mlflow_public_url)

    @cached_property
    def ledger(self) -> Ledger:
        """SQL, followed by the anchor where the settings name one."""
        from pipelines.ledger.sql import SqlLedger

        ledger = SqlLedger(self._settings.ledger)
        if self._settings.ledger_anchor is None:
            return ledger
        from pipelines.anchors import AnchoredLedger

        anchor = self.anchor
        return AnchoredLedger(ledger, anchor) if anchor is not None else ledger

    @cached_property
    def anchor(self) -> Anchor | None:
        """The ledger's anchor, or None. Raises RequestError where the setting names none that we know."""
        from pipelines.anchors import anchor_for

        return anchor_for(self._settings, lambda: self._mlflow)


@dataclass(frozen=True)
class Context:
    """One model's step at work: `ports` are Ports or EmbeddedPorts."""

    spec: Spec
    settings: Settings
    ports: Ports | EmbeddedPorts
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("perennial"))

    @property
    def folder(self) -> Path:
        """The model's folder."""
        return self.settings.models / self.spec.name

    @property
    def suites(self) -> dict[str, Path]:
        """The model's Great Expectations suites by table: <model>.json for the main one, <model>.<table>.json for side tables."""
        folder, source = self.settings.expectations, self.spec.source
        named = {source.main: folder / f"{self.spec.name}.json"}
        named |= {table: folder / f"{self.spec.name}.{table}.json" for table in source.side}
        return {table: path for table, path in named.items() if path.is_file() or table == source.main}

    @property
    def image(self) -> dict[str, str]:
        """The tag that says in a run which image the step ran in; none outside containers."""
        return {"image": self.settings.image} if self.settings.image else {}

    @cached_property
    def code(self) -> str:
        """The hash of everything that the user wrote for this model and of the locked dependencies."""
        files = [*sorted(self.folder.glob("*.py")), *self.suites.values(), self.settings.home / "requirements.txt"]
        # How much memory a container has, and how long code may take, changes no result.
        spec = self.spec.model_dump(mode="json", exclude={"resources": True, "features": {"timeout"}})
        return digest({p.name: sha256(p.read_bytes()) for p in files if p.is_file()}, spec)
