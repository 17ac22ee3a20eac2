"""Files that nobody needs, one function for each kind.

Each tells what it found, and nothing is removed here.
"""

from __future__ import annotations

import shutil
import stat
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.errors import Corrupted
from pipelines.ops.backup import scratch
from pipelines.ops.prune.leftover import Leftover
from pipelines.ops.references import entry_of, files, marked, reached, references
from pipelines.run_names import safe_id, watch_run
from pipelines.settings import airflow_logs
from pipelines.store.port import KEYS, OBJECTS
from pipelines.versions.objects import Objects, has_md5, md5

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from pipelines.ledger import Entry
    from pipelines.ports import EmbeddedPorts
    from pipelines.settings import Settings

HALF_WRITTEN_SECONDS = 3_600
"""A temporary file that is older belongs to nobody who lives."""

YOUNGEST_SECONDS = 86_400
"""Whatever is younger may belong to a step at work that has not said so yet."""


def killed(settings: Settings) -> Iterator[Leftover]:
    """Yield what killed backups and restores left, with keys in it.

    Only a caller that holds `ops.alone` may remove it.
    """
    for folder in scratch.dead(settings):
        size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
        yield Leftover(
            "killed backup or restore", str(folder), size, remove=partial(shutil.rmtree, folder)
        )


def half_written(settings: Settings, now: datetime) -> Iterator[Leftover]:
    """Yield temporary files of writers that died."""
    limit = now.timestamp() - HALF_WRITTEN_SECONDS
    versions = settings.versions_dir
    folders = [settings.store_dir, versions / "remote", versions / "repo" / ".dvc" / "cache"]
    for root in (
        *folders,
        *(settings.state_dir / name for name in ("ledger", "secrets", "gateway")),
    ):
        for path in sorted(root.rglob(".*.tmp")) if root.is_dir() else ():
            yield from _old("half-written file", path, root.parent, limit)


def results(settings: Settings, ports: EmbeddedPorts, limit: float) -> Iterator[Leftover]:
    """Yield steps' published results and runs' pages that are old and that no entry of the ledger
    has to do with.

    A result goes where nothing that it names is reached from the ledger: what it says can be
    computed again.
    """
    entries = ports.ledger.entries()
    decided = reached(ports.store, (ref for entry in entries for ref in references(entry.body)))
    runs = {run for entry in entries for run in runs_of(entry)}
    keys = settings.store_dir / KEYS
    for path in files(keys / "results"):
        if not any(ref.uri in decided for ref in references(_result(path, keys))):
            yield from _old("result", path, keys, limit)
    for path in files(keys / "pages"):
        if path.parent.name not in runs:
            yield from _old("page", path, keys, limit)


def _result(path: Path, keys: Path) -> Any:
    """Return a published result.

    None of one that was changed: it counts for nothing, and is computed again where it is needed.
    """
    try:
        return entry_of(path, keys)
    except Corrupted:
        return None


def runs_of(entry: Entry) -> set[str]:
    """Return the identifiers of the runs that an entry of the ledger speaks of, as keys and tags
    hold them.

    A drift run keeps things under a name of its own beside those of the retraining of the same name
    (see `watch_run`).
    """
    return {safe_id(name) for run in entry.runs for name in (run, watch_run(run))}


def objects(
    settings: Settings, ports: EmbeddedPorts, going: list[Leftover], limit: float
) -> Iterator[Leftover]:
    """Yield old objects that nothing refers to.

    They are listed before anything is marked: what is put later is younger.
    """
    listed = [
        found
        for path in files(settings.store_dir / OBJECTS)
        for found in _old("object", path, settings.store_dir, limit)
    ]
    if listed:
        stays = marked(
            settings, ports, {leftover.path for leftover in going if leftover.path is not None}
        )
        yield from (leftover for leftover in listed if leftover.name not in stays)


def cached_features(settings: Settings, limit: float) -> Iterator[Leftover]:
    """Yield old files of DVC's cache of which the remote has a sound copy, and their twins in the
    work tree.
    """
    repository = settings.versions_dir / "repo"
    remote = Objects(settings.versions_dir / "remote")
    gone: set[int] = set()
    for path in files(repository / ".dvc" / "cache" / "files" / "md5"):
        oid = path.parent.name + path.name
        found = list(_old("cached features", path, settings.versions_dir, limit))
        if found and has_md5(remote.path(oid), oid):
            gone.add(path.stat().st_ino)
            yield from found
    for path in files(repository / "features"):
        found = (
            []
            if path.parent.parent.name != "features"
            else list(_old("cached features", path, settings.versions_dir, limit))
        )
        if found and has_md5(remote.path(oid := md5(path.read_bytes())), oid):
            yield (
                found[0]._replace(bytes=0) if path.stat().st_ino in gone else found[0]
            )  # a hard link's bytes are counted already


def logs(settings: Settings, limit: float) -> Iterator[Leftover]:
    """Yield old logs of Airflow's tasks and of the stack's programs."""
    for folder in (airflow_logs(settings), settings.state_dir / "log"):
        for path in files(folder):
            yield from _old("log", path, folder.parent, limit)


def _old(kind: str, path: Path, root: Path, limit: float) -> Iterator[Leftover]:
    """Yield the file if it was last changed before the limit.

    Nothing where it is gone or is none.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(status.st_mode) and status.st_mtime < limit:
        yield Leftover(kind, path.relative_to(root).as_posix(), status.st_size, path, limit)
