"""Prepare the databases before Airflow starts.

The certificates of a bucket's endpoint are put into the state, where every container of a step and
of a release sees them. Airflow's database and the ledger's are migrated; the administrator gets the
password of the secrets; Airflow's pools get their slots; the key that signs bundles becomes a
trusted one, where signatures are required. A broker of one's own is asked whether it takes us.

Each of it may run again, and does at every `docker compose up`.
"""  # noqa: INP001 -- a script, mounted into a container

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from pipelines.broker import expect_broker
from pipelines.errors import PerennialError
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.signing_keys import begin
from pipelines.settings import load_settings
from pipelines.store.opening import open_store

ADMIN = "admin"
GIVEN_CERTIFICATES = Path("/run/store-ca.pem")
"""The host's file that PERENNIAL_STORE_CA names, in the composed stack; empty where none is."""
CERTIFICATES = Path("/state/store-ca.pem")


def put_certificates(given: Path, kept: Path) -> None:
    """Put the host's certificates where all containers see them; take them away where none are."""
    if not given.exists():
        return  # on Kubernetes, where each pod has them as a volume of its own
    if given.is_dir():  # Docker makes a folder of a path that is not there
        sys.exit(
            "PERENNIAL_STORE_CA names no file. Where it names none, Docker makes an empty folder:"
            " remove that, and correct the path."
        )
    try:
        data = given.read_bytes()
    except OSError as error:
        sys.exit(f"PERENNIAL_STORE_CA cannot be read here ({error.strerror}): chmod 644 it.")
    if not data:
        kept.unlink(missing_ok=True)
        return
    draft = kept.with_suffix(".draft")
    draft.write_bytes(data)
    draft.chmod(0o600)
    draft.replace(kept)


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


def _broker() -> None:
    settings = load_settings()
    if settings.executor == "celery" and settings.broker_url is not None:
        try:
            expect_broker(settings.broker_url, settings.broker_ca)
        except PerennialError as error:
            sys.exit(str(error))


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
    put_certificates(GIVEN_CERTIFICATES, CERTIFICATES)
    _broker()
    _ledger()
    _signing_key()
    _airflow()
    _pools()
