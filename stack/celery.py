"""CeleryExecutor in the stack of one machine: a broker, and workers that share nothing but it.

The broker is Debian's redis-server on a socket of its own below the state folder: no port, no
password, the owner's eyes only. It writes each message down before it takes the next one, so that
what was queued outlives it.

PERENNIAL_BROKER_URL names another one, RabbitMQ or Redis, which the stack does not run. Its address
may hold a password: programs read it from a file that is the owner's alone.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

from pipelines.broker import expect_broker
from pipelines.errors import RequestError
from pipelines.private_files import make_folder
from stack.keys import print_command, write_secret
from stack.layout import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stack.layout import Layout

WORKER_MODULE = "perennial_airflow.celery_worker"
CONFIG = "perennial_airflow.celery_config.CELERY_CONFIG"
"""Celery's settings, with the check of a broker's certificate."""
SLOTS = 2
"""Tasks that one worker does at a time."""
_SOCKET_BYTES = 100
"""Linux takes 107."""


def uses_celery(layout: Layout) -> bool:
    """Tell whether this stack has a broker and workers of its own."""
    return layout.settings.executor == "celery"


def runs_broker(layout: Layout) -> bool:
    """Tell whether this stack runs the broker itself."""
    return uses_celery(layout) and layout.settings.broker_url is None


def socket_of(layout: Layout) -> Path:
    """Return the broker's socket."""
    return layout.run / "broker.sock"


def address_file(layout: Layout) -> Path:
    """Return the file with the address of a broker that this stack does not run."""
    return layout.secrets / "broker_url"


def celery_settings(layout: Layout) -> dict[str, dict[str, object]]:
    """Return Airflow's sections for this executor."""
    return {
        "CORE": {
            "PARALLELISM": layout.settings.celery_workers * SLOTS,
        },
        "CELERY": {
            **_addresses(layout),
            "WORKER_CONCURRENCY": SLOTS,
            # A task that waits behind another one in a worker's hands would be lost with it
            "WORKER_PREFETCH_MULTIPLIER": 1,
            "OPERATION_TIMEOUT": 30,
            "CELERY_CONFIG_OPTIONS": CONFIG,
            # What each task would load for itself is loaded once in a worker
            "EXTRA_CELERY_CONFIG": json.dumps({"imports": [WORKER_MODULE]}),
        },
    }


def _addresses(layout: Layout) -> dict[str, object]:
    """Return where tasks are handed out, and where a worker says how they ended."""
    if runs_broker(layout):
        url = f"redis+socket://{socket_of(layout)}"
        return {"BROKER_URL": f"{url}?virtual_host=0", "RESULT_BACKEND": f"{url}?virtual_host=1"}
    return {
        "BROKER_URL_CMD": print_command(address_file(layout)),
        # RabbitMQ keeps no results that everybody may ask for
        "RESULT_BACKEND": f"db+{sqlite_url(_folder(layout) / 'results.db')}",
    }


def prepare_broker(
    layout: Layout, expect: Callable[[str, Path | None], None] = expect_broker
) -> None:
    """Make what the broker needs, if this stack has one.

    Raises RequestError where it is not installed, or where one's own does not take us.
    """
    address_file(layout).unlink(missing_ok=True)
    if not uses_celery(layout):
        return
    url = layout.settings.broker_url
    if url is not None:
        expect(url, layout.settings.broker_ca)
        make_folder(_folder(layout))
        write_secret(address_file(layout), url)
        return
    if shutil.which("redis-server") is None:
        raise RequestError(
            "PERENNIAL_EXECUTOR is 'celery', and there is no redis-server on this machine.",
            remedy=(
                "apt install redis-server (its service may stay off), name a broker of your own in"
                " PERENNIAL_BROKER_URL, or leave it out."
            ),
        )
    if len(str(socket_of(layout)).encode()) > _SOCKET_BYTES:
        raise RequestError(
            f"The path of the broker's socket is too long for a socket: {socket_of(layout)}.",
            remedy="choose a shorter PERENNIAL_STATE.",
        )
    make_folder(_folder(layout))


def _folder(layout: Layout) -> Path:
    return layout.state / "broker"


def broker_command(layout: Layout) -> tuple[str, ...]:
    """Return the broker's command."""
    options = {
        "--port": "0",
        "--unixsocket": str(socket_of(layout)),
        "--unixsocketperm": "700",
        "--dir": str(_folder(layout)),
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--daemonize": "no",
    }
    return ("redis-server", *[part for option in options.items() for part in option])


def worker_command(layout: Layout, name: str) -> tuple[str, ...]:
    """Return the command of one worker."""
    command = (sys.executable, "-m", "airflow", "celery", "worker", "--skip-serve-logs")
    options = ("--without-mingle", "--without-gossip", "--queues", layout.settings.queues)
    return (*command, *options, "--celery-hostname", f"{name}@%h")
