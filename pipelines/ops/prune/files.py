"""Files of the state's folders that nobody needs, one function for each kind.

Each yields what can go; nothing is removed here.
"""

from __future__ import annotations

import shutil
import stat
from functools import partial
from typing import TYPE_CHECKING

from pipelines.errors import Unreachable
from pipelines.ops.backup import scratch
from pipelines.ops.prune.leftover import Leftover
from pipelines.rebuilding.folders import find_abandoned
from pipelines.replay import workroom
from pipelines.settings import airflow_logs
from pipelines.versions.objects import has_md5, md5
from pipelines.versions.opening import remote_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings


def abandoned_scratch(settings: Settings) -> Iterator[Leftover]:
    """Yield what killed backups and restores left, with keys in it.

    Only a caller that holds `ops.lock.hold_state` may remove it.
    """
    for folder in scratch.find_abandoned(settings):
        yield Leftover(
            "killed backup or restore",
            str(folder),
            _size_of(folder),
            remove=partial(_remove_tree, folder),
        )


def abandoned_rebuilds(settings: Settings) -> Iterator[Leftover]:
    """Yield what killed rebuilds left, with copies of rows in it. Raises Busy."""
    for folder in find_abandoned(settings):
        yield Leftover(
            "killed rebuild", str(folder), _size_of(folder), remove=partial(_remove_tree, folder)
        )


def unfinished_files(settings: Settings, limit: float) -> Iterator[Leftover]:
    """Yield temporary files of writers that died, outside of the store."""
    versions = settings.versions
    folders = [
        *(versions / "remote", versions / "repo" / ".dvc" / "cache"),
        *(settings.state / name for name in ("ledger", "secrets", "gateway")),
    ]
    for folder in folders:
        for path in sorted(folder.rglob(".*.tmp")):
            yield from _old_file("half-written file", path, folder.parent, limit)


def cached_features(settings: Settings, limit: float) -> Iterator[Leftover]:
    """Yield old files of DVC's cache of which the remote has a sound copy, and their twins in the
    work tree.
    """
    repository = settings.versions / "repo"
    remote = remote_of(settings)
    inodes: set[int] = set()
    for path in files_below(repository / ".dvc" / "cache" / "files" / "md5"):
        oid = path.parent.name + path.name
        leftovers = list(_old_file("cached features", path, settings.versions, limit))
        if leftovers and remote.is_sound(oid, partial(has_md5, oid=oid)):
            inodes.add(path.stat().st_ino)
            yield from leftovers
    for path in files_below(repository / "features"):
        if path.parent.parent.name != "features":
            continue
        for leftover in _old_file("cached features", path, settings.versions, limit):
            oid = md5(path.read_bytes())
            if remote.is_sound(oid, partial(has_md5, oid=oid)):
                # A hard link's bytes are counted already
                twin = path.stat().st_ino in inodes
                yield leftover._replace(bytes=0) if twin else leftover


def old_logs(settings: Settings, limit: float) -> Iterator[Leftover]:
    """Yield old logs of Airflow's tasks and of the stack's programs."""
    for folder in (airflow_logs(settings), settings.state / "log"):
        for path in files_below(folder):
            yield from _old_file("log", path, folder.parent, limit)


def unused_replays(settings: Settings, limit: float) -> Iterator[Leftover]:
    """Yield what replays keep of models that nobody has replayed since the limit.

    It is computed again when it is needed.
    """
    for folder in workroom.unused_replays(settings, limit):
        remove = partial(workroom.remove_replays, folder, limit)
        yield Leftover("replays of a model", folder.name, _size_of(folder), remove)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all finished files below a folder, none where it is not there."""
    if folder.is_dir():
        yield from (
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        )


def _old_file(kind: str, path: Path, root: Path, limit: float) -> Iterator[Leftover]:
    """Yield the file if it was last changed before the limit (seconds since 1970).

    Nothing where it is gone or is no plain file.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(status.st_mode) and status.st_mtime < limit:
        name = path.relative_to(root).as_posix()
        yield Leftover(kind, name, status.st_size, remove=partial(_remove_file, path, limit))


def _remove_file(path: Path, limit: float) -> bool:
    """Remove the file unless somebody has begun to use it since; tell whether it went."""
    try:
        if path.stat().st_mtime >= limit:
            return False
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unreachable(
            f"{path} cannot be removed: {error}.",
            remedy="check the folder's owner, then run again.",
        ) from error
    return True


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _remove_tree(folder: Path) -> bool:
    """Remove a folder unless somebody has begun to; tell whether it went."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return False
    return True
