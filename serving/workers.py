"""Several workers on one port, each a process with an app of its own, under uvicorn's supervisor,
which replaces a dead one.

All accept from one socket. Each follows the releases by itself and writes segments of its own; what
they count is added up (see `metrics`). Workers end with their supervisor, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from pipelines.die_with_parent import die_with_parent
from pipelines.settings import load_settings
from pipelines.store.opening import open_store
from serving.event_log import log_to_stderr

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

    from fastapi import FastAPI

    from pipelines.settings import Settings

COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells workers where their counts live.

It must be there before they import prometheus_client.
"""


BUCKET_SECONDS = 2.0
"""How long a server tries a request to a bucket again."""


class Supervisor(Multiprocess):
    """uvicorn's supervisor.

    What a worker that died said of itself (gauges of the living) is forgotten.
    """

    def __init__(self, config: uvicorn.Config, listener: socket, folder: Path) -> None:
        """Supervise workers that accept from the socket and count in the folder."""
        super().__init__(config, [listener])
        self._folder = folder
        self._pids_so_far: set[int] = set()

    def keep_subprocess_alive(self) -> None:
        """Replace dead workers.

        Forget them, and those that signals (HUP, TTOU) replaced or ended since the last call.
        """
        from prometheus_client.multiprocess import mark_process_dead

        self._pids_so_far |= self._pids()
        super().keep_subprocess_alive()
        alive = self._pids()
        for pid in self._pids_so_far - alive:
            mark_process_dead(pid, str(self._folder))
        self._pids_so_far = alive

    def _pids(self) -> set[int]:
        return {process.pid for process in self.processes if process.pid is not None}


def serve(settings: Settings, options: dict[str, Any]) -> int:
    """Serve with `settings.serving_workers` processes until told to stop.

    Return the exit code, 1 where no worker could start.

    `options` are those of `uvicorn.Config`, the same as for a single worker.
    """
    config = uvicorn.Config(
        "serving.workers:app", factory=True, workers=settings.serving_workers, **options
    )
    listener = (
        config.bind_socket()
    )  # ends the process where the port is taken: then the counts below belong to another server
    listener.listen(config.backlog)
    folder = settings.state / "serving" / f"counts-{settings.serving_port}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[COUNTS] = str(folder)
    supervisor = Supervisor(config, listener, folder)
    supervisor.run()
    return int(
        any(process.exitcode not in {0, -signal.SIGTERM} for process in supervisor.processes)
    )


def ask_briefly(settings: Settings) -> Settings:
    """Return the settings of a server, which asks a bucket again by itself instead of waiting.

    Metrics, labels and the end of a process would wait with it.
    """
    seconds = min(settings.store_retry_seconds, BUCKET_SECONDS)
    return settings.replace(store_retry_seconds=seconds)


def app() -> FastAPI:
    """Return the app of one worker; called in its process, by uvicorn."""
    from serving.app import create_app

    parent = multiprocessing.parent_process()
    die_with_parent(signal.SIGTERM, parent.pid if parent else None)
    settings = ask_briefly(load_settings())
    log_to_stderr(settings.log_level)
    return create_app(settings, open_store(settings.store, settings))
