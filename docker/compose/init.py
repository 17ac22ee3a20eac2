"""Prepare the databases before Airflow starts.

Its database and the ledger's are migrated; the administrator gets the password of the secrets.

Each of it may run again, and does at every `docker compose up`.
"""  # noqa: INP001 -- a script, mounted into a container

import os
import subprocess
import sys

from pipelines.ledger.sql import SqlLedger

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


def _ledger() -> None:
    SqlLedger(os.environ["PERENNIAL_LEDGER_URL"])


if __name__ == "__main__":
    _ledger()
    _airflow()
