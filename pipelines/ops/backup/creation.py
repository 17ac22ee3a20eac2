"""Back up the whole state into one tar, while everything runs."""

from __future__ import annotations

import contextlib
import logging
import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pipelines.errors import RequestError, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.intervals import iso
from pipelines.ledger.memory import utc_now
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup import scratch
from pipelines.ops.backup.archive import Writer
from pipelines.ops.backup.bucket import stored_bucket
from pipelines.ops.backup.databases import databases, dump, refuse_damage, tables
from pipelines.ops.backup.parts import REPOSITORY, contents, parts, roots
from pipelines.ops.lock import hold_features, hold_state
from pipelines.plurals import how_many
from pipelines.settings import airflow_database, is_web, without_password
from pipelines.store.bucket.address import artifacts_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pipelines.ops.backup.archive import Manifest
    from pipelines.ops.backup.databases import Database
    from pipelines.ops.backup.parts import Part
    from pipelines.settings import Settings

MEGABYTE = 1e6

_log = logging.getLogger("perennial")


def backup(settings: Settings, target: Path, say: Callable[[str], None]) -> Manifest:
    """Write the backup to the new file `target` (mode 600: it holds keys).

    It appears whole or not at all.

    Raises RequestError where there is no ledger, where a database is missing that must be part of
    it, where `target` is there already or lies inside the state that is copied, Corrupted where the
    ledger's chain is broken, StorageFull, Busy or Unreachable.
    """
    target = target.absolute()
    _refuse_bad_target(settings, target)
    sources = databases(settings)
    for database in sources:
        refuse_damage(database)
    if not tables(sources[0]):
        raise RequestError(
            f"There is no ledger in {sources[0].display_name}.",
            remedy="check PERENNIAL_STATE and PERENNIAL_LEDGER_URL.",
        )
    ledger = SqlLedger(settings.ledger_url, migrate=False)
    say(f"ledger: {how_many(ledger.verify(), 'entry')}, chain intact")
    _refuse_part_of_system(
        settings, sources, has_champions=bool(ledger.entries(kind="champion", limit=1))
    )
    with (
        hold_state(settings),
        _new_file(settings, target) as (file, folder),
        os.fdopen(os.dup(file), "wb") as out,
    ):
        writer = Writer(out, product(), iso(utc_now().replace(microsecond=0)))
        kinds = {
            database.name: database.kind
            for database in sources
            if _add_database(writer, database, folder, say)
        }
        for part in parts(settings):
            with _hold_off_writers(settings, part):
                _add_part(writer, part, say)
        bucket = stored_bucket(settings)
        if bucket is not None:
            bucket.copy(writer, say)
        return writer.finish(kinds, artifacts_url(settings) or str(settings.mlflow_artifacts))


def _refuse_part_of_system(
    settings: Settings, sources: Iterable[Database], *, has_champions: bool
) -> None:
    """Refuse to leave out a database that must be somewhere.

    It is MLflow's behind a server, and where somebody was champion MLflow's at all, and Airflow's
    where its own setting names one.
    """
    is_server = is_web(settings.mlflow_uri) and not settings.is_set("mlflow_database")
    elsewhere = airflow_database(settings) != airflow_database(settings, {})
    for database in sources:
        if tables(database):
            continue
        if database.name == "mlflow" and is_server:
            raise RequestError(
                f"MLflow is a server at {without_password(settings.mlflow_uri)}, whose database is"
                f" not known: PERENNIAL_MLFLOW_DATABASE is not set, and there is no"
                f" {database.file}.",
                remedy=(
                    "set PERENNIAL_MLFLOW_DATABASE and PERENNIAL_MLFLOW_ARTIFACTS to that server's"
                    " (docs/settings.md)."
                ),
            )
        if has_champions and (
            database.name == "mlflow" or (database.name == "airflow" and elsewhere)
        ):
            setting = {
                "mlflow": "PERENNIAL_MLFLOW_DATABASE",
                "airflow": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            }[database.name]
            raise RequestError(
                f"The ledger has champions, but {database.display_name} is not there or empty.",
                remedy=f"set {setting} to the database that is in use.",
            )


def product() -> str:
    """Return the product's version."""
    try:
        return version("perennial")
    except PackageNotFoundError:
        return "unknown"


def _refuse_bad_target(settings: Settings, target: Path) -> None:
    if target.exists():
        raise RequestError(f"{target} is there already.", remedy="name a new file.")
    if not target.parent.is_dir():
        raise RequestError(
            f"There is no folder {target.parent}.", remedy="make it, or name a file elsewhere."
        )
    around = [
        folder
        for folder in roots(settings).values()
        if target.resolve().is_relative_to(folder.resolve())
    ]
    if around:
        raise RequestError(
            f"{target} lies in {around[0]}, which is copied.",
            remedy="name a file elsewhere, best on another disk.",
        )


@contextlib.contextmanager
def _new_file(settings: Settings, target: Path) -> Iterator[tuple[int, Path]]:
    """Yield an open file that becomes `target` at the end, and a scratch folder beside it for
    copies of databases.

    The folder is written down first: where this process is killed, whoever comes next takes it away
    (see scratch.py).
    """
    for abandoned_folder in scratch.remove_abandoned(settings):
        _log.warning(
            "%s was left by a backup or restore that was killed, and was removed", abandoned_folder
        )
    try:
        with scratch.folder(settings, target.parent) as folder:
            temporary = folder / "backup.tar"
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                yield handle, folder
                os.fsync(handle)
            finally:
                os.close(handle)
            os.link(
                temporary, target
            )  # of two backups to one name the second fails instead of taking the first one's place
    except FileExistsError as error:
        raise RequestError(f"{target} is there already.", remedy="name a new file.") from error
    except OSError as error:
        if is_full(error):
            raise StorageFull(
                f"No space is left for {target}.",
                remedy="free space there, or name a file on another disk.",
            ) from error
        raise Unreachable(
            f"The backup could not be written: {error}.",
            remedy="check permissions, then run again.",
        ) from error


def _add_database(
    writer: Writer, database: Database, folder: Path, say: Callable[[str], None]
) -> bool:
    """Copy one database; one that is not there is left out."""
    if not tables(database):
        say(f"{database.name}: no database")
        return False
    copy = folder / database.name
    dump(database, copy)
    writer.add(f"databases/{database.name}.{database.kind}", copy)
    say(f"{database.name}: {copy.stat().st_size / MEGABYTE:,.1f} MB of {database.kind}")
    copy.unlink()
    return True


def _add_part(writer: Writer, part: Part, say: Callable[[str], None]) -> None:
    files, before = 0, writer.bytes
    for path in contents(part):
        name = f"{part.name}/{path.relative_to(part.folder).as_posix()}"
        try:
            if path.is_dir():
                writer.add_folder(name)
            elif part.grows:
                data = path.read_bytes()
                writer.add_bytes(name, data[: data.rfind(b"\n") + 1])
            else:
                writer.add(name, path)
        except FileNotFoundError:
            # Rotated or removed since the folder was read: what takes its place comes later
            continue
        files += 1
        if files % 5_000 == 0:
            say(f"{part.name}: {files:,} files so far")
    if files:
        say(f"{part.name}: {how_many(files, 'file')}, {(writer.bytes - before) / MEGABYTE:,.1f} MB")


def _hold_off_writers(settings: Settings, part: Part) -> contextlib.AbstractContextManager[None]:
    """Hold off writers of features while their git repository is copied.

    Everything else may change meanwhile.
    """
    return hold_features(settings) if part.name == REPOSITORY else contextlib.nullcontext()
