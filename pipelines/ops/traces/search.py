"""Look for a value in all that the state holds, and say what was not looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from pipelines.errors import Corrupted
from pipelines.inference_log.decode import decode
from pipelines.inference_log.format import CHECKSUM
from pipelines.inference_log.personal_data import PersonalKey
from pipelines.ops.traces.content import SQLITE, database_holds, holds
from pipelines.ops.traces.outside import (
    in_database,
    outer_databases,
    outer_folders,
    say_away,
)
from pipelines.ops.traces.sought import Sought
from pipelines.refs import Ref
from pipelines.settings import scheme_of, without_password
from pipelines.store.local import folder_of
from pipelines.store.page_parts import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from sqlalchemy import URL

    from pipelines.ports import ConfiguredPorts, Ports
    from pipelines.settings import Settings
    from pipelines.store.port import Store

GIT = "objects"
"""What git packs: pointers and hashes, no row."""


@dataclass(frozen=True)
class Trace:
    """Something that holds what is sought: what kind of thing it is, and its name there.

    `place` is objects, entries, segments (of the store), features, ledger, `mlflow` and `airflow`
    for what these have outside the state, backup, or `state` for any other file below the state
    folder.
    """

    place: str
    name: str


@dataclass
class Search:
    """What was found, how many things were looked at, and what was not."""

    traces: list[Trace] = field(default_factory=list)
    looked_at: int = 0
    unseen: list[str] = field(default_factory=list)

    def add(self, looks: Iterable[tuple[Trace, bool | None]]) -> None:
        """Add things that were looked at; None says of one that it could not be."""
        for trace, is_there in looks:
            self.looked_at += 1
            if is_there:
                self.traces.append(trace)
            elif is_there is None:
                self.unseen.append(f"{trace.name}, which is damaged or cannot be unpacked here")


def sought_of(settings: Settings, values: Iterable[str], columns: Iterable[str] = ()) -> Sought:
    """Return what to look for: the values, and the hashes that the inference log has for them."""
    texts = set(values)
    if settings.personal_key.is_file():
        key = PersonalKey(settings.personal_key)
        texts |= {key.hash_of(text) for text in texts}
    return Sought(frozenset(texts), frozenset(columns))


def search(
    settings: Settings,
    ports: Ports | ConfiguredPorts,
    sought: Sequence[Sought],
    *,
    leave_out: Iterable[Path] = (),
) -> Search:
    """Look at everything that the state holds; files of `leave_out` are not looked at."""
    databases, unknown = outer_databases(settings)
    found = Search(unseen=[*unseen(), *unknown, *_unseen_in_bucket(settings)])
    left_out = {path.resolve() for path in leave_out}
    looks = (
        in_store(ports.store, sought),
        in_features(settings.versions, sought),
        _in_ledger(settings, ports, sought),
        _in_files(settings, ports.store, sought, left_out),
        *(_in_folder(p, folder, sought) for p, folder in outer_folders(settings).items()),
        *(_in_database(p, url, sought, found.unseen) for p, url in databases.items()),
    )
    for place in looks:
        found.add(place)
    return found


def unseen() -> list[str]:
    """Return what nobody looks at, in words."""
    return [
        "backups (name a file of `perennial backup` by --backup) and copies of disks",
        "the source that batches are read from",
    ]


def _unseen_in_bucket(settings: Settings) -> list[str]:
    """Return in words what nobody looks at where the store is in a bucket."""
    if not settings.has_bucket:
        return []
    url = without_password(settings.store)
    artifacts = "MLflow's artifacts and " if scheme_of(settings.store) == "s3" else ""
    return [
        f"{artifacts}DVC's remote in {url}, and what it keeps of removed objects",
        f"read caches of other hosts ({settings.store_folder}/cache on each of them)",
    ]


def in_store(store: Store, sought: Sequence[Sought]) -> Iterator[tuple[Trace, bool | None]]:
    """Yield each thing of the store, and whether it holds what is sought; None where it cannot be
    read.
    """
    yield from objects_in(store, sought)
    for item in store.contents("entries"):
        try:
            there: bool | None = holds(store.read(item.name) or b"", sought)
        except Corrupted:
            there = None
        yield Trace("entries", item.name), there
    for item in store.contents("segments"):
        data = store.read_segment(item.name) or b""
        yield Trace("segments", item.name), segment_holds(item.name, data, sought)


def objects_in(
    store: Store, sought: Sequence[Sought], leave_out: Container[str] = ()
) -> Iterator[tuple[Trace, bool | None]]:
    """Yield each object of the store but those of `leave_out`, and whether it holds what is sought;
    None where it is damaged, or packed and too much to be unpacked.

    The program that draws pages holds no rows, only words that a name may happen to be.
    """
    for item in store.contents("objects"):
        if item.name in leave_out or item.name.endswith(PROGRAM):
            continue
        digest = item.name.rsplit("/", 1)[-1].split(".")[0]
        yield Trace("objects", item.name), _object_holds(store, item.name, digest, sought)


def _object_holds(store: Store, uri: str, digest: str, sought: Sequence[Sought]) -> bool | None:
    try:
        return holds(store.get(Ref(uri=uri, sha256=digest)), sought)
    except Corrupted:
        return None


def segment_holds(name: str, data: bytes, sought: Sequence[Sought]) -> bool:
    """Tell whether a segment of the inference log holds what is sought: in its rows, and in lines
    that cannot be read as such.
    """
    rows = decode(name, data).rows
    for one in sought if rows is not None else ():
        mask = one.rows(rows)
        if mask is not None and any(mask.to_pylist()):
            return True
    return any(holds(line[CHECKSUM:], sought) for line in data.split(b"\n"))


def in_features(folder: Path, sought: Sequence[Sought]) -> Iterator[tuple[Trace, bool | None]]:
    """Yield each file of the features' folder: work tree, DVC's cache and remote."""
    for path in _files(folder):
        parts = path.relative_to(folder).parts
        if ".git" in parts and GIT in parts:
            continue
        yield Trace("features", path.relative_to(folder).as_posix()), file_holds(path, sought)


def _in_ledger(
    settings: Settings, ports: Ports | ConfiguredPorts, sought: Sequence[Sought]
) -> Iterator[tuple[Trace, bool | None]]:
    """Yield the entries of a ledger that is no file of the state."""
    if settings.ledger_url.startswith("sqlite"):
        return
    for entry in ports.ledger.walk():
        there = any(s.in_json(entry.body) or s.in_text(entry.key) for s in sought)
        yield Trace("ledger", f"entry {entry.seq}"), there


def _in_files(
    settings: Settings, store: Store, sought: Sequence[Sought], left_out: set[Path]
) -> Iterator[tuple[Trace, bool | None]]:
    """Yield every other file below the state folder."""
    elsewhere = [settings.versions.resolve()]
    folder = folder_of(store)
    if folder is not None:
        elsewhere.append(folder.resolve())
    for path in _files(settings.state, elsewhere):
        if path.resolve() not in left_out:
            name = path.relative_to(settings.state).as_posix()
            yield Trace("state", name), file_holds(path, sought)


def _in_folder(
    place: str, folder: Path, sought: Sequence[Sought]
) -> Iterator[tuple[Trace, bool | None]]:
    """Yield every file below a folder that is not in the state."""
    for path in _files(folder):
        yield Trace(place, path.relative_to(folder).as_posix()), file_holds(path, sought)


def _in_database(
    place: str, url: URL, sought: Sequence[Sought], away: list[str]
) -> Iterator[tuple[Trace, bool | None]]:
    """Yield the tables of another program's database; one that does not answer is named."""
    try:
        for name, is_there in in_database(url, sought):
            yield Trace(place, f"database, {name}"), is_there
    except SQLAlchemyError as error:
        away.append(say_away(place, url, error))


def file_holds(path: Path, sought: Sequence[Sought]) -> bool | None:
    """Tell whether a file holds what is sought; one that is gone by now does not.

    None where it is packed and too much to be unpacked.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(SQLITE))
        if start == SQLITE:
            return database_holds(path, sought)
        return holds(path.read_bytes(), sought)
    except FileNotFoundError:
        return False


def _files(top: Path, without: Sequence[Path] = ()) -> Iterator[Path]:
    """Yield the regular files below a folder, sorted; links are not followed."""
    for folder, names, files in os.walk(top):
        here = Path(folder)
        names[:] = sorted(n for n in names if (here / n).resolve() not in without)
        for name in sorted(files):
            path = here / name
            if path.is_file() and not path.is_symlink():
                yield path
