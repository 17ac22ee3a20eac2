"""Folders with copies of databases and keys that a backup or a restore needs while it is at work.

Whoever makes one writes its path down in the state folder before. A process that is killed takes
nothing away; but the lock of `ops.lock.hold_state` is the kernel's and ends with it. So whoever
holds that lock and finds such a note knows that its writer is dead.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.ops.backup.parts import roots, unfinished_mark
from pipelines.private_files import make_folder
from pipelines.refs import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

PREFIX = ".perennial-backup-"
DRAFT = ".restoring"
"""The folder in which restored files wait until all are there."""


@contextlib.contextmanager
def folder(settings: Settings, parent: Path) -> Iterator[Path]:
    """Yield a new folder (mode 700) in `parent`, which is gone afterwards.

    Call it while holding `ops.lock.hold_state`.
    """
    path = parent / f"{PREFIX}{os.urandom(6).hex()}"
    note = _notes(settings) / sha256(os.fsencode(path))[:16]
    make_folder(note.parent)
    # It has its mode from the start.
    handle = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as file:  # noqa: PTH123
        file.write(os.fsencode(path))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.mkdir(mode=0o700)
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)
        note.unlink(missing_ok=True)


def find_abandoned(settings: Settings) -> list[Path]:
    """Return the folders that are noted, and the drafts of restores.

    They are abandoned only if `ops.lock.hold_state` is held by nobody else.

    A draft beside the mark of a restore that has begun to put things in place is the next restore's
    to begin anew.
    """
    folders = []
    for note in _list_notes(settings):
        path = Path(os.fsdecode(note.read_bytes()))
        if path.name.startswith(PREFIX) and path.is_dir() and not path.is_symlink():
            folders.append(path)
    around = (settings.state, settings.store_folder, *roots(settings).values())
    drafts = {folder / DRAFT for folder in around}
    if not unfinished_mark(settings).is_file():
        folders += sorted(draft for draft in drafts if draft.is_dir() and not draft.is_symlink())
    return folders


def remove_abandoned(settings: Settings) -> list[Path]:
    """Remove the abandoned folders and their notes; return the folders.

    Call it while holding `ops.lock.hold_state`.
    """
    folders = find_abandoned(settings)
    for path in folders:
        shutil.rmtree(path)
    for note in _list_notes(settings):
        note.unlink(missing_ok=True)
    return folders


def _notes(settings: Settings) -> Path:
    return settings.state / "scratch"


def _list_notes(settings: Settings) -> list[Path]:
    notes = _notes(settings)
    return sorted(path for path in notes.iterdir() if path.is_file()) if notes.is_dir() else []
