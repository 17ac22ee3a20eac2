"""The logs of tasks in the store's bucket, for whoever does tasks in pods or on hosts that go.

Airflow finds this by `[logging] logging_config_class`, for tasks and for its pages. A log is sent
when its try has ended; while the task is at work, its worker is asked as before.
"""

from __future__ import annotations

import copy
import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.config_templates.airflow_local_settings import DEFAULT_LOGGING_CONFIG
from airflow.configuration import conf

from pipelines.errors import PerennialError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    import os

    from structlog.typing import Processor

    from pipelines.settings import Settings
    from pipelines.store.bucket.client import Client

FOLDER = "logs"
"""Where logs lie in the bucket, below the store's prefix."""

LOGGING_CONFIG = copy.deepcopy(DEFAULT_LOGGING_CONFIG)
"""Airflow's own: only where the logs of ended tries are kept is another."""

_log = logging.getLogger(__name__)


class BucketLogs:
    """Sends the log of a task to the bucket, and reads it there."""

    processors: tuple[Processor, ...] = ()

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Remember the store's bucket, and the folder into which Airflow writes logs here."""
        self._settings = settings
        self._folder = folder

    @cached_property
    def _client(self) -> Client:
        # Here, for every process of Airflow imports this module, and few of them move a log.
        from pipelines.store.bucket.address import bucket_address
        from pipelines.store.bucket.client import Client

        return Client(bucket_address(self._settings.store, self._settings))

    def upload(self, path: os.PathLike[str] | str, ti: Any = None) -> None:  # noqa: ARG002
        """Send the log that stands at a path below the folder, over one that was sent before.

        A bucket that is away loses a log and no task: it is said, and the file stays.
        """
        name = Path(path).as_posix()
        file = self._folder / name
        if not file.is_file():
            return
        try:
            self._client.put(_key(name), file.read_bytes())
        except PerennialError as error:
            _log.warning("The task's log stays on this host alone: %s", error.message)

    def read(
        self,
        relative_path: str,
        ti: Any = None,  # noqa: ARG002
    ) -> tuple[list[str], list[str] | None]:
        """Return where the log was looked for, and its text; no text where none was sent."""
        place = f"{self._settings.store.rstrip('/')}/{_key(relative_path)}"
        try:
            found = self._client.get(_key(relative_path))
        except PerennialError as error:
            return [f"{place} cannot be read: {error.message}"], None
        if found is None or found == "same":
            return [], None
        return [place], [found.data.decode("utf-8", "replace")]


def _key(name: str) -> str:
    return f"{FOLDER}/{name}"


def _bucket_logs() -> BucketLogs | None:
    """Return what keeps logs in the bucket; None where the store is in a folder."""
    settings = load_settings()
    if not settings.has_bucket:
        return None
    return BucketLogs(settings, Path(conf.get_mandatory_value("logging", "base_log_folder")))


REMOTE_TASK_LOG = _bucket_logs()
"""Airflow looks for it under this name beside LOGGING_CONFIG."""
