"""Restore a backup into an empty state: everything is checked before anything is written, and the ledger's chain afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from sqlalchemy import create_engine, inspect, text

from pipelines.errors import PerennialError, RequestError, StorageFull, Unreachable
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.alone import alone
from pipelines.ops.archive import checked, extract
from pipelines.ops.databases import Kind, databases, load, tables
from pipelines.ops.parts import roots
from pipelines.segments import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipelines.ops.archive import Manifest
    from pipelines.ops.databases import Database
    from pipelines.settings import Settings

DRAFT = ".restoring"
"""The folder in which restored files wait until all are there; one that a killed restore left is begun anew."""

_LOCATIONS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Where MLflow's tables hold the address of artifacts."""


def restore(settings: Settings, source: Path, say: Callable[[str], None]) -> int:
    """Restore the backup and return the number of the ledger's entries, whose chain is intact.

    Raises RequestError where something is there already or the file is no backup of a known format, Corrupted naming a
    member that was changed (nothing was written then) or a ledger's entry, StorageFull, Busy or Unreachable.
    """
    folders = roots(settings)
    known = {database.name: database for database in databases(settings)}
    copies = {f"databases/{name}.{kind}" for name in known for kind in get_args(Kind)}
    say(f"reading {source}")
    manifest = checked(source, lambda name: name in copies or name.split("/")[0] in folders)
    _refuse_other_kinds(manifest, known)
    drafts = {name: folder / DRAFT for name, folder in folders.items()} | {"databases": settings.state_dir / DRAFT}
    with _border(settings), alone(settings):
        _refuse_what_is_there(folders, known.values())
        say(f"writing {len(manifest.members):,} files of {manifest.at}")
        try:
            _clear(drafts)
            extract(source, lambda name: _placed(drafts, name))
            os.sync()
            for name, folder in folders.items():
                _put_in_place(drafts[name], folder)
            for database in (known["mlflow"], known["airflow"], known["ledger"]):  # the ledger last: it says what all else is for
                file = drafts["databases"] / f"{database.name}.{database.kind}"
                if file.is_file():
                    load(database, file)
        finally:
            _clear(drafts)
        if "mlflow" in manifest.databases:
            _move_artifacts(known["mlflow"], manifest.artifacts, str(settings.artifacts_dir))
    entries = SqlLedger(settings.ledger).verify()
    say(f"ledger: {entries} entries, chain intact")
    return entries


def _refuse_other_kinds(manifest: Manifest, known: dict[str, Database]) -> None:
    for name, kind in manifest.databases.items():
        if name not in known or known[name].kind != kind:
            here = known[name].kind if name in known else "nothing"
            raise RequestError(
                f"{name}'s database is {kind} in the backup, but the settings name {here}.",
                remedy="set the database's URL to the kind that was backed up (docs/settings.md).",
            )


def _refuse_what_is_there(folders: dict[str, Path], known: Iterable[Database]) -> None:
    remedy = "stop what runs and move the old state away, or set PERENNIAL_STATE to a new folder; nothing was written."
    for folder in folders.values():
        if folder.is_dir() and any(p.name != DRAFT for p in folder.iterdir()):
            raise RequestError(f"{folder} is not empty.", remedy=remedy)
    for database in known:
        if tables(database):
            raise RequestError(f"{database.shown} is not empty.", remedy=remedy)


def _placed(drafts: dict[str, Path], name: str) -> tuple[Path, str]:
    root, _, rest = name.partition("/")
    return drafts[root], rest


def _put_in_place(draft: Path, folder: Path) -> None:
    """Move what is in the draft up into its folder, which may be a mounted volume and cannot be renamed itself."""
    if draft.is_dir():
        for path in sorted(draft.iterdir()):
            path.rename(folder / path.name)
        if folder.name == "secrets":
            folder.chmod(0o700)


def _clear(drafts: dict[str, Path]) -> None:
    for draft in drafts.values():
        if draft.is_dir():
            shutil.rmtree(draft)


def _move_artifacts(database: Database, old: str, new: str) -> None:
    """Let MLflow's tables point to where the artifacts are now; addresses of other kinds (a bucket, a proxy) are left alone."""
    if old == new:
        return
    before, after = Path(old).as_uri(), Path(new).as_uri()
    with create_engine(database.url).begin() as connection:
        there = inspect(connection)
        for table, columns in _LOCATIONS.items():
            known = {c["name"] for c in there.get_columns(table)} if there.has_table(table) else set()
            for column in known.intersection(columns):
                where = f"{column} = :old OR substr({column}, 1, :size) = :inside"
                moved = f"UPDATE {table} SET {column} = :new || substr({column}, :cut) WHERE {where}"  # noqa: S608 -- names of our own
                values = {"new": after, "cut": len(before) + 1, "old": before, "size": len(before) + 1, "inside": f"{before}/"}
                connection.execute(text(moved), values)


@contextlib.contextmanager
def _border(settings: Settings) -> Iterator[None]:
    try:
        yield
    except PerennialError:
        raise
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(f"No space is left in {settings.state_dir}.", remedy="free space there, then restore again.") from error
        raise Unreachable(f"The state could not be written: {error}.", remedy="check permissions, then restore again.") from error
