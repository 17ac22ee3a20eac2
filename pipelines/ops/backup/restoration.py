"""Restore a backup into an empty state.

Everything is checked before anything is written, and the ledger's chain afterwards.

The databases come first: they may be elsewhere and fail, while the folders are complete beside
their places by then, and only renamed. A restore that did not end leaves a mark, by which the next
one and `doctor` tell its leftovers from somebody's state.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from pipelines.errors import Corrupted, PerennialError, RequestError, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup.archive import check_archive, extract
from pipelines.ops.backup.bucket import NAME as BUCKET
from pipelines.ops.backup.bucket import stored_bucket
from pipelines.ops.backup.databases import Kind, databases, load, tables
from pipelines.ops.backup.parts import roots, unfinished_mark
from pipelines.ops.backup.scratch import DRAFT
from pipelines.ops.lock import hold_state
from pipelines.plurals import how_many
from pipelines.settings import scheme_of
from pipelines.store.bucket.address import artifacts_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipelines.ops.backup.archive import Manifest
    from pipelines.ops.backup.bucket import StoredBucket
    from pipelines.ops.backup.databases import Database
    from pipelines.settings import Settings

_LOCATIONS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Where MLflow's tables hold the address of artifacts."""


def restore(settings: Settings, source: Path, say: Callable[[str], None]) -> int:
    """Restore the backup and return the number of the ledger's entries, whose chain is intact.

    Raises RequestError where something is there already or the file is no backup of a known format,
    Corrupted naming a member that was changed (nothing was written then) or a ledger's entry,
    StorageFull, Busy or Unreachable. What fails after the first database was loaded says what is
    there already and how to clear it.
    """
    folders, bucket = roots(settings), stored_bucket(settings)
    by_name = {database.name: database for database in databases(settings)}
    copies = {f"databases/{name}.{kind}" for name in by_name for kind in get_args(Kind)}
    say(f"reading {source}")
    manifest = check_archive(source, partial(_has_place, copies, folders, bucket))
    _refuse_other_kinds(manifest, by_name)
    drafts = {name: folder / DRAFT for name, folder in folders.items()} | {
        "databases": settings.state / DRAFT,
        **({BUCKET: settings.store_folder / DRAFT} if bucket else {}),
    }
    mark = unfinished_mark(settings)
    with hold_state(settings), _name_os_errors(settings):
        find_filled = partial(_find_filled, folders, by_name.values(), bucket)
        _refuse_what_is_there(settings, find_filled())
        mark.unlink(missing_ok=True)
        with _say_what_is_there(settings, find_filled), _name_os_errors(settings):
            say(f"writing {how_many(len(manifest.members), 'file')} of {manifest.at}")
            try:
                _clear(drafts)
                extract(source, lambda name: _destination(drafts, name))
                mark.write_text(f"{source.absolute()}\n")
                os.sync()
                _load(settings, manifest, by_name, drafts["databases"], say)
                for name, folder in folders.items():
                    if drafts[name].is_dir():
                        _put_in_place(drafts[name], folder)
                        say(f"{name}: in place")
                if bucket is not None:
                    bucket.fill(drafts[BUCKET], say)
            finally:
                _clear(drafts)
            entries = SqlLedger(settings.ledger_url).verify()
            mark.unlink()
    say(f"ledger: {how_many(entries, 'entry')}, chain intact")
    return entries


def _load(
    settings: Settings,
    manifest: Manifest,
    by_name: dict[str, Database],
    copies: Path,
    say: Callable[[str], None],
) -> None:
    """Load the databases, the ledger last: it says what all else is for."""
    for name in ("mlflow", "airflow", "ledger"):
        if name in manifest.databases:
            load(by_name[name], copies / f"{name}.{manifest.databases[name]}")
            if name == "mlflow":
                artifacts = artifacts_url(settings) or str(settings.mlflow_artifacts)
                _move_artifacts(by_name[name], manifest.artifacts, artifacts)
            say(f"{name}: loaded")


def _refuse_other_kinds(manifest: Manifest, by_name: dict[str, Database]) -> None:
    for name, kind in manifest.databases.items():
        if name not in by_name or by_name[name].kind != kind:
            here = by_name[name].kind if name in by_name else "nothing"
            raise RequestError(
                f"{name}'s database is {kind} in the backup, but the settings name {here}.",
                remedy="set the database's URL to the kind that was backed up (docs/settings.md).",
            )


def _has_place(
    copies: set[str], folders: dict[str, Path], bucket: StoredBucket | None, name: str
) -> bool:
    """Tell whether a member has a place here.

    Raises RequestError where the backup's store is in a bucket and the settings' in a folder, or
    the other way round.
    """
    root = name.split("/", maxsplit=1)[0]
    if root in {"store", BUCKET} and (root == BUCKET) != (bucket is not None):
        held, here = ("a bucket", "a folder") if root == BUCKET else ("a folder", "a bucket")
        raise RequestError(
            f"The backup's store was in {held}, and PERENNIAL_STORE names {here}.",
            remedy=f"let PERENNIAL_STORE name {held}, then restore again.",
        )
    return name in copies or root in folders or root == BUCKET


def _refuse_what_is_there(settings: Settings, there: dict[str, str]) -> None:
    if not there:
        return
    message = " ".join(f"{what} is not empty." for what in there)
    mark = unfinished_mark(settings)
    if mark.is_file():
        raise RequestError(
            f"The restore of {mark.read_text().strip()} did not end. {message}",
            remedy=_how_to_clear(there),
        )
    remedy = (
        "stop what runs and move the old state away, or set PERENNIAL_STATE to a new folder;"
        " nothing was written."
    )
    raise RequestError(message, remedy=remedy)


def _find_filled(
    folders: dict[str, Path], targets: Iterable[Database], bucket: StoredBucket | None
) -> dict[str, str]:
    """Return what is not empty, each with how it is emptied.

    Raises Unreachable where a database or the bucket does not answer.
    """
    remedies = {}
    if bucket is not None and bucket.is_filled():
        remedies[bucket.address.url] = f"remove what is below {bucket.address.url}"
    for folder in folders.values():
        if folder.is_dir() and any(p.name != DRAFT for p in folder.iterdir()):
            remedies[str(folder)] = f"remove what is in {folder}"
    for database in targets:
        if _is_filled(database):
            anew = f"drop the database {database.url.database} and make it anew"
            remedies[database.display_name] = (
                f"remove {database.file}*" if database.kind == "sqlite" else anew
            )
    return remedies


def _is_filled(database: Database) -> bool:
    try:
        return tables(database) > 0
    except Corrupted:
        return True  # a file that was being written when it was killed


def _how_to_clear(there: dict[str, str]) -> str:
    return (
        f"while nothing runs, {'; '.join(there.values())}; then restore again (docs/operate.md,"
        " Backup and restore)."
    )


@contextlib.contextmanager
def _say_what_is_there(
    settings: Settings, find_filled: Callable[[], dict[str, str]]
) -> Iterator[None]:
    """Add to an error what is there already.

    Where nothing is, the restore may be begun again as if it had never been.
    """
    mark = unfinished_mark(settings)
    try:
        yield
    except PerennialError as error:
        if not mark.is_file():
            raise  # nothing was put in place
        try:
            there = find_filled()
        except PerennialError as away:
            words = (
                f"{error.message} The restore did not end, and what is there already cannot be"
                f" told: {away.message}"
            )
            again = "Then restore again: it says what must be cleared first."
            raise type(error)(
                words,
                remedy=f"{error.remedy} {again}".strip(),
            ) from error
        if not there:
            mark.unlink()
            raise
        words = f"{error.message} The restore did not end; there already: {', '.join(there)}."
        remedy = _how_to_clear(there)
        raise type(error)(
            words, remedy=f"{error.remedy} But first, {remedy}" if error.remedy else remedy
        ) from error


def _destination(drafts: dict[str, Path], name: str) -> tuple[Path, str]:
    root, _, rest = name.partition("/")
    return drafts[root], rest


def _put_in_place(draft: Path, folder: Path) -> None:
    """Move what is in the draft up into its folder, which may be a mounted volume and cannot be
    renamed itself.
    """
    for path in sorted(draft.iterdir()):
        path.rename(folder / path.name)
    if folder.name == "secrets":
        folder.chmod(0o700)


def _clear(drafts: dict[str, Path]) -> None:
    for draft in drafts.values():
        if draft.is_dir():
            shutil.rmtree(draft)


def _move_artifacts(database: Database, old: str, new: str) -> None:
    """Let MLflow's tables point to where the artifacts are now.

    Addresses of other kinds (another bucket, a proxy) are left alone.
    """
    if old == new:
        return
    before, after = _url_of(old), _url_of(new)
    try:
        with create_engine(database.url, poolclass=NullPool).begin() as connection:
            there = inspect(connection)
            for table, columns in _LOCATIONS.items():
                address_columns = (
                    {c["name"] for c in there.get_columns(table)}
                    if there.has_table(table)
                    else set()
                )
                for column in address_columns.intersection(columns):
                    where = f"{column} = :old OR substr({column}, 1, :size) = :inside"
                    update = (
                        f"UPDATE {table} SET {column} ="  # noqa: S608 -- names of our own
                        f" :new || substr({column}, :cut) WHERE {where}"
                    )
                    values = {
                        "new": after,
                        "cut": len(before) + 1,
                        "old": before,
                        "size": len(before) + 1,
                        "inside": f"{before}/",
                    }
                    connection.execute(text(update), values)
    except DBAPIError as error:
        raise Unreachable(
            f"The artifacts' addresses in {database.display_name} could not be changed:"
            f" {error.orig}.",
            remedy="check that the database runs.",
        ) from error


def _url_of(place: str) -> str:
    return place if scheme_of(place) else Path(place).as_uri()


@contextlib.contextmanager
def _name_os_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except PerennialError:
        raise
    except OSError as error:
        if is_full(error):
            raise StorageFull(
                f"No space is left in {settings.state}.",
                remedy="free space there, then restore again.",
            ) from error
        raise Unreachable(
            f"The state could not be written: {error}.",
            remedy="check permissions, then restore again.",
        ) from error
