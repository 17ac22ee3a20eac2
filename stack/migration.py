"""The databases: Airflow's is made and migrated only when there is none yet or its version changed.

MLflow makes its own.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from pipelines.errors import Busy, Corrupted, PerennialError
from stack.environment import AIRFLOW_CFG

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stack.layout import Layout


def prepare_home(layout: Layout) -> None:
    """Make Airflow's home with an empty configuration file."""
    layout.airflow.mkdir(parents=True, exist_ok=True)
    config = layout.airflow / "airflow.cfg"
    if not config.exists():
        config.write_text(AIRFLOW_CFG)


def prepare_mlflow(layout: Layout) -> None:
    """Make MLflow's database where there is none, and let it be read while it is written (WAL;
    Airflow does so by itself).

    Raises Corrupted where the file is no database, and Busy where somebody else holds it.
    """
    file = layout.mlflow / "mlflow.db"
    file.touch(mode=0o600)
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA journal_mode=WAL")  # kept in the file
    except sqlite3.OperationalError as error:
        raise Busy(
            f"MLflow's database {file} cannot be opened: {error}.",
            remedy="end what holds it, then: make up.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise Corrupted(
            f"MLflow's database {file} is damaged: {error}.",
            remedy="restore a backup (docs/operate.md).",
        ) from error


def is_needed(layout: Layout) -> bool:
    """Tell whether the database must be migrated before Airflow starts."""
    stamp = _stamp(layout)
    return (
        not (layout.airflow / "airflow.db").exists()
        or not stamp.exists()
        or stamp.read_text() != version("apache-airflow")
    )


def migrate(layout: Layout, environ: Mapping[str, str]) -> None:
    """Make or migrate the database. Raises PerennialError with the end of what Airflow said."""
    log = layout.log("migration")
    _run_airflow(
        ["db", "migrate"],
        environ,
        log,
        "Airflow's database could not be migrated",
        f"read {log}; a database of no worth can be deleted: {layout.airflow / 'airflow.db'}.",
    )
    _stamp(layout).write_text(version("apache-airflow"))


def make_pools(layout: Layout, environ: Mapping[str, str]) -> None:
    """Make Airflow's pools that the settings name, or change their slots.

    Raises PerennialError with the end of what Airflow said.
    """
    pools = layout.settings.pool_slots
    if not pools:
        return
    file, log = layout.run / "pools.json", layout.log("pools")
    about = "made by PERENNIAL_POOLS"
    body = {
        name: {"slots": slots, "description": about, "include_deferred": False}
        for name, slots in pools.items()
    }
    file.write_text(json.dumps(body))
    _run_airflow(
        ["pools", "import", str(file)],
        environ,
        log,
        "Airflow's pools could not be made",
        f"read {log}, mend what it names or PERENNIAL_POOLS, then: make up.",
    )


def _run_airflow(
    arguments: list[str], environ: Mapping[str, str], log: Path, failure: str, remedy: str
) -> None:
    """Run a command of Airflow's. Raises PerennialError with the end of what it said."""
    with log.open("w") as output:
        process = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if process.returncode != 0:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise PerennialError(f"{failure} (exit {process.returncode}):\n{end}", remedy=remedy)


def _stamp(layout: Layout) -> Path:
    return layout.airflow / "migrated.txt"
