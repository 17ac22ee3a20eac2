"""A registry in memory, for tests: the same promises as the one in MLflow."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.errors import BadData, RequestError
from pipelines.refs import digest
from pipelines.registry.port import (
    DESCRIPTION_LIMIT,
    NOT_FINITE,
    ModelVersion,
    RunState,
    check_folder,
    check_keys,
    check_model,
    check_path,
    check_version,
    mask,
    new_params,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass
class Run:
    """One run: what was logged and attached."""

    tags: dict[str, str]
    state: str = "RUNNING"
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)


class MemoryRegistry:
    """Runs and versions in dictionaries, under one lock.

    What was recorded can be looked at in `runs` and `descriptions`.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.runs: dict[str, Run] = {}
        self.descriptions: dict[tuple[str, str], str] = {}
        self._ids: dict[tuple[str, ...], str] = {}
        self._versions: dict[str, list[ModelVersion]] = {}
        self._aliases: dict[str, str] = {}
        self._lock = threading.RLock()

    def parent(self, model: str, run: str, tags: Mapping[str, str]) -> str:
        """Return the id of the one parent run of a DAG run."""
        check_model(model)
        return self._open_run(("parent", model, run), mask(tags))

    def child(self, model: str, parent: str, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Return the id of a child run by its key."""
        check_model(model)
        self._run(parent)
        return self._open_run(
            ("child", model, parent, key),
            {**mask(tags), "mlflow.runName": name, "mlflow.parentRunId": parent},
        )

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> None:
        """Add parameters, metrics and tags."""
        check_keys(metrics)
        with self._lock:
            run = self._run(run_id)
            run.params.update(new_params(run.params, mask(params)))
            run.tags.update(mask(tags))
            run.metrics.update(
                {name: value for name, value in metrics.items() if math.isfinite(value)}
            )
            odd = sorted(name for name, value in metrics.items() if not math.isfinite(value))
            if odd:
                run.tags[NOT_FINITE] = ", ".join(odd)

    def attach(self, run_id: str, file: Path, folder: str) -> None:
        """Add a file to a run's artifacts."""
        check_folder(folder)
        self._run(run_id).artifacts[f"{folder}/{file.name}"] = file.read_bytes()

    def find_artifact(self, run_id: str, path: str) -> int | None:
        """Return how many bytes a file has; None where it is not there."""
        check_path(path)
        data = self._run(run_id).artifacts.get(path)
        return None if data is None else len(data)

    def detach(self, run_id: str, path: str) -> None:
        """Remove a file of a run's artifacts."""
        check_path(path)
        self._run(run_id).artifacts.pop(path, None)

    def close(self, run_id: str, state: RunState) -> None:
        """End a run."""
        self._run(run_id).state = state

    def state(self, run_id: str) -> str:
        """Return RUNNING, FINISHED, FAILED or KILLED."""
        return self._run(run_id).state

    def register(
        self,
        model: str,
        run_id: str,
        key: str,
        model_file: Path,
        tags: Mapping[str, str],
        *,
        code: Path | None = None,
    ) -> ModelVersion:
        """Register the file as the next version, once per key.

        It is not parsed here, but an empty one is refused.
        """
        check_model(model)
        with self._lock:
            run, versions = self._run(run_id), self._versions.setdefault(model, [])
            matches = [v for v in versions if v.tags["perennial.key"] == key]
            if matches:
                return matches[0]
            data = model_file.read_bytes()
            if not data:
                raise BadData(f"{model_file} is no skops file.")
            run.artifacts["model/model.skops"] = data
            if code is not None:
                run.artifacts["model/code.json"] = code.read_bytes()
            version = ModelVersion(
                version=str(len(versions) + 1),
                run_id=run_id,
                tags={**mask(tags), "perennial.key": key},
            )
            versions.append(version)
            return version

    def describe(self, model: str, version: str, text: str) -> None:
        """Set what is said of a version."""
        with self._lock:
            check_version(model, version, self.versions(model))
            self.descriptions[model, version] = text[:DESCRIPTION_LIMIT]

    def versions(self, model: str) -> list[ModelVersion]:
        """Return the versions, oldest first."""
        check_model(model)
        return list(self._versions.get(model, []))

    def alias(self, model: str) -> str | None:
        """Return the version that the alias `champion` names, or None."""
        check_model(model)
        return self._aliases.get(model)

    def point(self, model: str, version: str | None) -> None:
        """Set or remove the alias `champion`."""
        with self._lock:
            if version is None:
                self._aliases.pop(model, None)
                return
            check_version(model, version, self.versions(model))
            self._aliases[model] = version

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the newest value of each metric."""
        return dict(self._run(run_id).metrics)

    def page(self, run_id: str) -> str | None:
        """Return None: there is no UI."""
        self._run(run_id)
        return None

    def _open_run(self, identity: tuple[str, ...], tags: dict[str, str]) -> str:
        with self._lock:
            run_id = self._ids.setdefault(identity, digest(*identity)[:32])
            self.runs.setdefault(run_id, Run(tags))
            return run_id

    def _run(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise RequestError(f"The registry has no run {run_id!r}.")
        return self.runs[run_id]
