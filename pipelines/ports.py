"""The four ports, each made when it is first asked for: store, versions, registry, ledger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.store.opening import open_store

if TYPE_CHECKING:
    from pipelines.ledger import Ledger
    from pipelines.ledger.anchors import Anchor
    from pipelines.registry.mlflow import MlflowRegistry
    from pipelines.registry.port import Registry
    from pipelines.settings import Settings
    from pipelines.store.port import Store
    from pipelines.versions.port import Versions


@dataclass(frozen=True)
class Ports:
    """The outside: store, versions, registry, ledger."""

    store: Store
    versions: Versions
    registry: Registry
    ledger: Ledger


class ConfiguredPorts:
    """The ports that the settings name: SQLite or PostgreSQL, a folder or another store.

    Each is imported and opened at first use, so a step that needs no MLflow pays for none.
    """

    def __init__(self, settings: Settings) -> None:
        """Remember the settings only."""
        self._settings = settings

    @cached_property
    def store(self) -> Store:
        """The one that the settings name: a local folder, unless they say otherwise."""
        return open_store(self._settings.store, self._settings)

    @cached_property
    def versions(self) -> Versions:
        """A git repository with DVC, and a remote beside it or in the store's bucket."""
        from pipelines.versions.dvc import DvcVersions
        from pipelines.versions.opening import remote_of

        settings = self._settings
        return DvcVersions(
            settings.versions, settings.lock_timeout_seconds, remote=remote_of(settings)
        )

    @cached_property
    def registry(self) -> Registry:
        """MLflow."""
        return self._mlflow

    @cached_property
    def _mlflow(self) -> MlflowRegistry:
        from pipelines.bucket_variables import use_bucket
        from pipelines.registry.mlflow import MlflowRegistry
        from pipelines.store.bucket.address import artifacts_url

        settings = self._settings
        use_bucket(settings)
        artifacts = settings.state / "mlflow" / "artifacts"
        return MlflowRegistry(
            settings.mlflow_uri,
            artifacts,
            proxied=settings.mlflow_proxied,
            public=settings.mlflow_public_url,
            bucket=artifacts_url(settings),
        )

    @cached_property
    def ledger(self) -> Ledger:
        """SQL, followed by the anchor where the settings name one."""
        from pipelines.ledger.sql import SqlLedger

        ledger = SqlLedger(self._settings.ledger_url)
        if self._settings.ledger_anchor is None:
            return ledger
        from pipelines.ledger.anchors import AnchoredLedger

        anchor = self.anchor
        return AnchoredLedger(ledger, anchor) if anchor is not None else ledger

    def check_ledger(self) -> int:
        """Check what this host has not checked yet of the ledger; return how many entries it has.

        From then on every read is held against what was checked (see `ledger.checked`).
        Raises Corrupted naming the first entry that was touched or is missing.
        """
        from pipelines.ledger.checked import CheckedLedger

        name = hashlib.sha256(self._settings.ledger_url.encode()).hexdigest()[:12]
        file = self._settings.state / "checked" / f"{name}.db"
        checked = CheckedLedger(self.ledger, file)
        count = checked.check()
        self.ledger = checked
        return count

    @cached_property
    def anchor(self) -> Anchor | None:
        """The ledger's anchor, or None.

        Raises RequestError where the setting names none that we know.
        """
        from pipelines.ledger.anchors import anchor_for

        return anchor_for(self._settings, lambda: self._mlflow)
