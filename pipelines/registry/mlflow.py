"""The registry in MLflow: SQLite when used by hand, the stack's tracking server otherwise.

MlflowClient only: MLflow's fluent functions keep state per process, and ending a child there ends
its parent. MLflow has neither unique keys nor compare-and-set, so what must happen once happens
under a file lock beside the artifacts. Of hosts that share no folder, the one whose version has the
lowest number was first.
"""

from __future__ import annotations

import contextlib
import math
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.collector import paused_collection
from pipelines.errors import Corrupted, RequestError
from pipelines.locks import hold
from pipelines.mlflow_pages import run_page
from pipelines.private_files import make_folder
from pipelines.registry.failures import mlflow_border
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
from pipelines.run_names import safe_id
from pipelines.settings import quiet, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALIAS = "champion"
RUN, KEY, PARENT, NAME = "perennial.run", "perennial.key", "mlflow.parentRunId", "mlflow.runName"
NOTES = "perennial-notes"
"""The experiment of `note`; no model can have this name."""
LOCK_SECONDS = 60
MAKING_SECONDS = 300
"""How long to wait while another process makes the database.

MLflow's migrations take a minute on a busy machine.
"""
BATCH = 100
"""Parameters, metrics or tags that one request to MLflow may carry."""

_SQLITE = "sqlite:///"


class MlflowRegistry:
    """MLflow behind a URI: sqlite:///<file> or http://host:port.

    MLflow creates and migrates the file.
    """

    def __init__(
        self,
        uri: str,
        artifacts: Path,
        *,
        proxied: bool = False,
        public: str | None = None,
        bucket: str = "",
    ) -> None:
        """Remember where MLflow and the artifacts are.

        MLflow is imported, with its telemetry off, and opened at the first call.

        `proxied` artifacts go through the tracking server, which alone knows where they lie; the
        folder then holds locks only. So it does where artifacts go to a `bucket`, the URL of a
        folder in one. `public` is the server's address for people's browsers, where
        that is another one.
        """
        self._proxied = proxied
        self._bucket = bucket
        self._public = without_password(public or uri).rstrip("/")
        quiet()
        self._uri = uri
        self._name = f"MLflow at {without_password(uri)}"
        self._artifacts = artifacts.resolve()
        self._experiments: dict[str, str] = {}

    def parent(self, model: str, run: str, tags: Mapping[str, str]) -> str:
        """Return the id of the one parent run of a DAG run; it is opened at the first call."""
        with self._once(model):
            identity = {RUN: safe_id(run)}
            return self._find_run(model, identity) or self._open_run(
                model, {**mask(tags), **identity, NAME: run}
            )

    def child(self, model: str, parent: str, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Return the id of a child run by its key; it is opened at the first call."""
        with self._once(model):
            self._run(parent)
            identity = {KEY: safe_id(key), PARENT: parent}
            return self._find_run(model, identity) or self._open_run(
                model, {**mask(tags), **identity, NAME: name}
            )

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> None:
        """Add parameters, metrics and tags.

        What is there already with the same value is not sent again.
        """
        check_keys(metrics)
        with mlflow_border(self._name):
            from mlflow.entities import Metric, Param, RunTag

            data = self._run(run_id).data
            texts = dict(mask(tags))
            odd = sorted(name for name, value in metrics.items() if not math.isfinite(value))
            if odd:
                texts[NOT_FINITE] = ", ".join(odd)
            finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
            new_metrics = [
                Metric(
                    name,
                    float(value),
                    self._after(run_id, name, has_values=name in data.metrics),
                    0,
                )
                for name, value in finite.items()
                if data.metrics.get(name) != value
            ]
            new_texts = [
                Param(name, text) for name, text in new_params(data.params, mask(params)).items()
            ]
            new_tags = [
                RunTag(name, text) for name, text in texts.items() if data.tags.get(name) != text
            ]
            for start in range(0, max(len(new_metrics), len(new_texts), len(new_tags)), BATCH):
                part = slice(start, start + BATCH)
                self._client.log_batch(
                    run_id, metrics=new_metrics[part], params=new_texts[part], tags=new_tags[part]
                )

    def attach(self, run_id: str, file: Path, folder: str) -> None:
        """Add a file (a plot, a page) to a run's artifacts."""
        check_folder(folder)
        with mlflow_border(self._name):
            self._client.log_artifact(run_id, str(file), folder)

    def find_artifact(self, run_id: str, path: str) -> int | None:
        """Return how many bytes a file has; None where it is not there."""
        check_path(path)
        self._run(run_id)
        with mlflow_border(self._name):
            files = self._client.list_artifacts(run_id, path.partition("/")[0])
            sizes = {file.path: file.file_size for file in files if not file.is_dir}
            return int(sizes[path] or 0) if path in sizes else None

    def detach(self, run_id: str, path: str) -> None:
        """Remove a file of a run's artifacts."""
        if self.find_artifact(run_id, path) is None:
            return
        uri = self._run(run_id).info.artifact_uri
        with mlflow_border(self._name):
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            get_artifact_repository(uri, tracking_uri=self._uri).delete_artifacts(path)

    def close(self, run_id: str, state: RunState) -> None:
        """End a run."""
        with mlflow_border(self._name):
            self._client.set_terminated(run_id, state)

    def state(self, run_id: str) -> str:
        """Return RUNNING, FINISHED, FAILED or KILLED."""
        return str(self._run(run_id).info.status)

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
        """Log the skops file as the run's model and register it as the next version, once per key.

        Raises BadData where the file is no skops file of trusted types.
        """
        from pipelines.registry.sklearn_model import own_folder, sklearn_folder

        with self._once(model):
            found = self._first(model, key)
            if found is not None:
                return found
            self._run(run_id)
            opened = sklearn_folder(model_file) if code is None else own_folder(model_file, code)
            with opened as folder:
                self._client.log_artifacts(run_id, str(folder), "model")
            self._ensure_model(model)
            version = self._client.create_model_version(
                model,
                source=f"runs:/{run_id}/model",
                run_id=run_id,
                tags={**mask(tags), KEY: key},
                await_creation_for=0,
            )
            return self._first(model, key) or _version(version)

    def _first(self, model: str, key: str) -> ModelVersion | None:
        """Return the version of a key, or None; there is one afterwards.

        Numbers count up in the order in which versions are made, so all hosts agree on the first.
        A later one is of a host that did not know of it: cut off, or told too late. Whoever made
        it comes by here, too, before anybody hears of it.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

        same = [v for v in self.versions(model) if v.tags.get(KEY) == key]
        for later in same[1:]:
            try:
                self._client.delete_model_version(model, later.version)
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                    raise
        return same[0] if same else None

    def describe(self, model: str, version: str, text: str) -> None:
        """Set what is said of a version."""
        check_version(model, version, self.versions(model))
        with mlflow_border(self._name):
            cut = text[:DESCRIPTION_LIMIT]
            self._client.update_model_version(model, version, description=cut)

    def versions(self, model: str) -> list[ModelVersion]:
        """Return the versions, oldest first."""
        check_model(model)
        versions: list[ModelVersion] = []
        page = None
        with mlflow_border(self._name):
            while True:
                answer = self._client.search_model_versions(
                    f"name = '{model}'", max_results=200, page_token=page
                )
                versions += [_version(v) for v in answer]
                page = answer.token
                if not page:
                    return sorted(versions, key=lambda v: int(v.version))

    def alias(self, model: str) -> str | None:
        """Return the version that the alias `champion` names, or None."""
        check_model(model)
        with mlflow_border(self._name):
            models = self._client.search_registered_models(f"name = '{model}'")
            version = models[0].aliases.get(ALIAS) if models else None
            return None if version is None else str(version)

    def point(self, model: str, version: str | None) -> None:
        """Set (or with None remove) the alias `champion`."""
        if version is None and self.alias(model) is None:
            return
        check_model(model)
        with mlflow_border(self._name):
            if version is None:
                self._client.delete_registered_model_alias(model, ALIAS)
            else:
                self._client.set_registered_model_alias(model, ALIAS, version)

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the newest value of each metric of a run."""
        return dict(self._run(run_id).data.metrics)

    def note(self, name: str, text: str) -> None:
        """Keep a short text by name, as a tag of an experiment that holds nothing else."""
        with mlflow_border(self._name):
            self._client.set_experiment_tag(self._experiment(NOTES), name, text)

    def read_note(self, name: str) -> str | None:
        """Return the text that is kept by this name, or None."""
        with mlflow_border(self._name):
            experiment = self._client.get_experiment_by_name(NOTES)
            text = experiment.tags.get(name) if experiment is not None else None
            return None if text is None else str(text)

    def page(self, run_id: str) -> str | None:
        """Return the web address of a run, where the tracking server has a UI; else None."""
        run = self._run(run_id)
        if not self._uri.startswith(("http://", "https://")):
            return None
        return run_page(self._public, run.info.experiment_id, run_id)

    @cached_property
    def _client(self) -> Any:
        """Return the client.

        A SQLite file is created and migrated under a lock, since MLflow's migrations know none.
        """
        is_served = not self._uri.startswith(_SQLITE)
        with paused_collection():
            from mlflow.tracking import MlflowClient

            if not is_served:  # what the client would load by itself
                import mlflow.store.model_registry.sqlalchemy_store
                import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

        if is_served:
            return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        with self._hold("-database", MAKING_SECONDS):
            file = Path(self._uri.removeprefix(_SQLITE))
            make_folder(file.parent)
            self._refuse_emptied(file)
            uri = _patient(self._uri)
            return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def _refuse_emptied(self, file: Path) -> None:
        """Raise Corrupted where the file is empty although runs have left artifacts.

        MLflow would take it for a new one.
        """
        has_artifacts = any(not path.name.startswith(".") for path in self._artifacts.iterdir())
        if has_artifacts and file.is_file() and file.stat().st_size == 0:
            raise Corrupted(
                f"The database of {self._name} is damaged: the file is empty.",
                remedy="restore it from a backup.",
            )

    @contextlib.contextmanager
    def _once(self, model: str) -> Iterator[None]:
        """Do what is inside without another process of this machine at the same model.

        MLflow's errors are named.
        """
        check_model(model)
        with mlflow_border(self._name), self._hold(model):
            yield

    def _hold(
        self, name: str, seconds: float = LOCK_SECONDS
    ) -> contextlib.AbstractContextManager[object]:
        complaint = f"Another process has worked on {name} in {self._name} for {seconds:.0f} s."
        path = self._artifacts / f".{name}.lock"
        return hold(path, complaint, seconds=seconds, remedy="run again.")

    def _experiment(self, model: str) -> str:
        """Return the id of the model's experiment, which has the model's name.

        A deleted one is restored.
        """
        if model not in self._experiments:
            experiment = self._client.get_experiment_by_name(model)
            if experiment is None:
                self._experiments[model] = self._client.create_experiment(
                    model, artifact_location=self._location(model)
                )
            else:
                if experiment.lifecycle_stage != "active":
                    self._client.restore_experiment(experiment.experiment_id)
                self._experiments[model] = experiment.experiment_id
        return self._experiments[model]

    def _location(self, model: str) -> str | None:
        """Return where a new experiment's artifacts go; None where the server says it."""
        if self._proxied:
            return None
        return f"{self._bucket}/{model}" if self._bucket else (self._artifacts / model).as_uri()

    def _find_run(self, model: str, tags: Mapping[str, str]) -> str | None:
        """Return the oldest run that has these tags.

        Their values are free of quotes (`safe_id`).
        """
        filter_text = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs = self._client.search_runs(
            [self._experiment(model)],
            filter_text,
            max_results=1,
            order_by=["attributes.start_time ASC"],
        )
        return str(runs[0].info.run_id) if runs else None

    def _open_run(self, model: str, tags: Mapping[str, str]) -> str:
        return str(self._client.create_run(self._experiment(model), tags=dict(tags)).info.run_id)

    def _run(self, run_id: str) -> Any:
        if safe_id(run_id) != run_id or not run_id.isalnum():
            raise RequestError(f"{run_id!r} is no run's id.")
        with mlflow_border(self._name):
            return self._client.get_run(run_id)

    def _after(self, run_id: str, metric: str, *, has_values: bool) -> int:
        """Return a time (ms) later than all values of the metric.

        MLflow takes the greatest of one time's values for the newest.
        """
        now = time.time_ns() // 1_000_000
        return (
            max([now, *(m.timestamp + 1 for m in self._client.get_metric_history(run_id, metric))])
            if has_values
            else now
        )

    def _ensure_model(self, model: str) -> None:
        if not self._client.search_registered_models(f"name = '{model}'"):
            self._client.create_registered_model(model)


def _patient(uri: str) -> str:
    """Return the SQLite address with a wait of 30 s for the database's lock.

    Without one it is 5 s, too few for several processes.
    """
    from sqlalchemy import make_url

    url = make_url(uri)
    return (
        uri
        if "timeout" in url.query
        else url.update_query_dict({"timeout": "30"}).render_as_string(hide_password=False)
    )


def _version(version: Any) -> ModelVersion:
    return ModelVersion(
        version=str(version.version), run_id=version.run_id, tags=dict(version.tags)
    )
