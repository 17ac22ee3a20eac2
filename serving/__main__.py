"""`python -m serving`: workers on 127.0.0.1 (in a container: on its network) until told to stop.

Requests under way are finished.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import uvicorn

from pipelines.errors import RequestError
from pipelines.private_files import keep_private
from pipelines.settings import Settings, load_settings
from pipelines.store.opening import open_store
from serving import workers
from serving.event_log import log, log_to_stderr
from serving.strict_protocol import StrictProtocol

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 30
"""Longer than clients keep idle connections, so that it is they who close them."""


def options(settings: Settings) -> dict[str, Any]:
    """Return uvicorn's options: its own log is part of ours, and it tells nobody what it is."""
    return {
        "host": settings.serving_host,
        "port": settings.serving_port,
        "loop": "uvloop",
        "http": StrictProtocol,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "backlog": 1024,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }


def server(settings: Settings, *, logged: bool = True) -> uvicorn.Server:
    """Return the server of a single worker.

    `logged=False` is for measuring what the inference log costs.
    """
    from serving.app import create_app

    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings, open_store(settings.store, settings), logged=logged),
            **options(settings),
        )
    )


def main() -> int:
    """Serve; return the exit code."""
    # Idle OpenMP threads spin and would take the core from the event loop; one row gains nothing
    # from them.

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep_private()
    try:
        settings = workers.ask_briefly(load_settings())
        open_store(settings.store, settings), open_store(settings.releases, settings)
    except RequestError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    log_to_stderr(settings.log_level)
    log.info("Starting.", extra={"port": settings.serving_port})
    if settings.serving_workers > 1:
        return workers.serve(settings, options(settings))
    os.environ.pop(workers.COUNTS, None)
    server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
