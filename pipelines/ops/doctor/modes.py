"""Whether others than its owner get at anything of the state.

Models, data of people, keys, the record.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING

from pipelines.ops.backup.parts import roots
from pipelines.ops.findings import Finding, ok, problem
from pipelines.private_files import OTHERS
from pipelines.store.local import folder_of
from pipelines.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings

SHOWN = 10
"""Open paths that are named one by one."""
_OBJECT = 0o444
"""The mode that DVC gives its objects; they lie in folders that are closed."""


def check_modes(settings: Settings) -> Iterator[Finding]:
    """Every path of the state whose mode lets others in, with the command that closes it.

    What lies below it is not listed again.

    The folder that is shared with the gateway is left out: its other user is the gateway's. So are
    files of other users, whose modes are theirs to change.
    """
    releases = folder_of(open_store(settings.releases, settings))
    folders = {settings.state, *roots(settings).values()}
    folders |= {releases} if releases is not None else set()
    tops = sorted(
        f for f in folders if not any(f != other and f.is_relative_to(other) for other in folders)
    )
    secrets = settings.state / "secrets"  # of its files `doctor` speaks by themselves
    paths = [
        path
        for top in tops
        if top.is_dir()
        for path in _find_open(top, settings.gateway)
        if path.parent != secrets
    ]
    for path in paths[:SHOWN]:
        deep = "-R " if path.is_dir() else ""
        mode = stat.S_IMODE(path.lstat().st_mode)
        yield problem(
            "modes",
            f"{path} is open to others (mode {mode:o}).",
            f"chmod {deep}go= {shlex.quote(str(path))}",
        )
    if len(paths) > SHOWN:
        tree = " ".join(shlex.quote(str(top)) for top in tops)
        yield problem(
            "modes",
            f"{len(paths) - SHOWN:,} more paths are open to others.",
            f"chmod -R go= {tree}",
        )
    if not paths:
        yield ok("modes", "what is in the state is its owner's alone")


def _find_open(path: Path, shared: Path) -> Iterator[Path]:
    """Yield the path if others get at it, else the open ones below it."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if path == shared or stat.S_ISLNK(status.st_mode) or status.st_uid != os.geteuid():
        return
    mode = stat.S_IMODE(status.st_mode)
    if (
        mode & OTHERS
        and not (stat.S_ISREG(status.st_mode) and mode == _OBJECT)
        and not stat.S_ISSOCK(status.st_mode)
    ):
        yield path
    elif stat.S_ISDIR(status.st_mode):
        for inner in sorted(os.scandir(path), key=lambda entry: entry.name):
            yield from _find_open(path / inner.name, shared)
