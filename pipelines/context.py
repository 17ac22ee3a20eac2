"""What a step may touch: its model's spec, the settings and the four ports."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.refs import digest, sha256

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.environments.record import EnvironmentRecord
    from pipelines.ports import ConfiguredPorts, Ports
    from pipelines.settings import Settings
    from pipelines.spec import Spec

METRICS_TAG = "metrics_sha256"
"""The tag of a run and of a version that names what its own metrics were counted by."""


@dataclass(frozen=True)
class Context:
    """One model's step at work: `ports` are Ports or ConfiguredPorts."""

    spec: Spec
    settings: Settings
    ports: Ports | ConfiguredPorts
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("perennial"))

    @property
    def folder(self) -> Path:
        """The model's folder."""
        return self.settings.models / self.spec.name

    @property
    def suites(self) -> dict[str, Path]:
        """The model's Great Expectations suites by table.

        <model>.json for the main one, <model>.<table>.json for side tables.
        """
        folder, source = self.settings.expectations, self.spec.source
        paths = {source.main: folder / f"{self.spec.name}.json"}
        paths |= {table: folder / f"{self.spec.name}.{table}.json" for table in source.side}
        return {
            table: path for table, path in paths.items() if path.is_file() or table == source.main
        }

    @property
    def image(self) -> dict[str, str]:
        """The tag that says in a run which image the step ran in; none outside containers."""
        return {"image": self.settings.image} if self.settings.image else {}

    @property
    def environment_tags(self) -> dict[str, str]:
        """The tags that name the model's environment in a run; none where it requires nothing."""
        return self.environment.tags if self.environment else {}

    @cached_property
    def metrics_tags(self) -> dict[str, str]:
        """The tag that names the model's `metrics.py` by its hash; none where it has no metrics."""
        path = self.folder / "metrics.py"
        if not self.spec.own_metrics or not path.is_file():
            return {}
        return {METRICS_TAG: sha256(path.read_bytes())}

    @cached_property
    def environment(self) -> EnvironmentRecord | None:
        """What the model's `requires` was resolved to; None where it requires nothing.

        Raises what `resolve` raises.
        """
        if not self.spec.requires:
            return None
        from pipelines.environments.resolution import resolve

        return resolve(self.spec.requires, self.ports.store)

    @cached_property
    def paths(self) -> list[str]:
        """The folders to append to `sys.path` of a process that needs what the model requires.

        They are installed unless they are there. Raises what `resolve` and `install` raise.
        """
        if self.environment is None:
            return []
        from pipelines.environments.ready import paths

        return paths(self.environment, self.settings, self.ports.store)

    @cached_property
    def lock(self) -> str:
        """The SHA-256 of requirements.txt, which pins all packages; empty where there is none."""
        path = self.settings.home / "requirements.txt"
        return sha256(path.read_bytes()) if path.is_file() else ""

    @cached_property
    def code(self) -> str:
        """The hash of everything that the user wrote for this model and of the packages that run
        it: Perennial's lock and the model's environment.
        """
        files = [
            *sorted(self.folder.glob("*.py")),
            self.folder / "schema.yaml",
            *self.suites.values(),
            self.settings.home / "requirements.txt",
        ]
        # How much memory a container has, and how long code may take, changes no result,
        # nor does how often the champion is built again, or by what the model is found.
        # Into how many trials at once a search is cut is a word of the training's own key.
        spec = self.spec.model_dump(
            mode="json",
            exclude={
                "resources": True,
                "features": {"timeout"},
                "train": {"timeout"},
                "requires": True,
                "prove": True,
                "tags": True,
                "search": True,
            },
        )
        environment = [self.environment.sha256] if self.environment else []
        found = {p.name: sha256(p.read_bytes()) for p in files if p.is_file()}
        # Of a finished model the file is what a fit is of others.
        nets = {c.onnx: self.folder / c.onnx for c in self.spec.candidates if c.onnx}
        found |= {name: sha256(p.read_bytes()) for name, p in nets.items() if p.is_file()}
        return digest(found, spec, *environment)
