"""Prepare the databases before Airflow starts.

Its database and the ledger's are migrated; the administrator gets the password of the secrets;
Airflow's pools get their slots; the key that signs bundles becomes a trusted one, where signatures
are required.

Each of it may run again, and does at every `docker compose up`.
"""  # noqa: INP001 -- a script, mounted into a container

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import PerennialError
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.signing_keys import begin
from pipelines.settings import load_settings
from pipelines.store.opening import open_store

ADMIN = "admin"


def _airflow() -> None:
    subprocess.run(["airflow", "db", "migrate"], check=True)
    # Here, for they read the tables that the migration makes.
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from werkzeug.security import check_password_hash

    password = os.environ["AIRFLOW_ADMIN_PASSWORD"]
    with get_application_builder() as builder:
        users = builder.sm
        found = users.find_user(ADMIN)
        if found is None:
            made = users.add_user(
                ADMIN,
                "Perennial",
                "Administrator",
                "admin@localhost",
                users.find_role("Admin"),
                password,
            )
            if not made:
                sys.exit("Airflow's administrator could not be made.")
        elif not check_password_hash(found.password, password):
            users.reset_password(found.id, password)


def _pools() -> None:
    """Make Airflow's pools that PERENNIAL_POOLS names, or change their slots."""
    pools = {
        name: {
            "slots": slots,
            "description": "made by PERENNIAL_POOLS",
            "include_deferred": False,
        }
        for name, slots in load_settings().pool_slots.items()
    }
    if pools:
        file = Path("/tmp/pools.json")  # noqa: S108 -- the container's own
        file.write_text(json.dumps(pools), encoding="utf-8")
        subprocess.run(["airflow", "pools", "import", str(file)], check=True)


def _ledger() -> None:
    SqlLedger(os.environ["PERENNIAL_LEDGER_URL"])


def _signing_key() -> None:
    settings = load_settings()
    if not settings.require_signature:
        return
    try:
        begin(
            settings, open_store(settings.store, settings), datetime.now(UTC).replace(microsecond=0)
        )
    except PerennialError as error:
        sys.exit(f"The key that signs bundles cannot be made known: {error}")


if __name__ == "__main__":
    _ledger()
    _signing_key()
    _airflow()
    _pools()
