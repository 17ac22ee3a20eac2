"""One operation on the whole state at a time.

A backup must not copy what `prune` is taking away.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import filelock

from pipelines.errors import Busy, Unreachable
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold off other backups, restores and prunes of this state.

    Raises Busy at once where one is at work.
    """
    with held(
        settings.state_dir / "ops.lock",
        "Another backup, restore or prune of this state is at work.",
        seconds=0,
    ):
        yield


@contextlib.contextmanager
def held(lock: Path, complaint: str, seconds: float) -> Iterator[None]:
    """Hold a lock file.

    Raises Busy with the complaint, Unreachable where the folder cannot be written.
    """
    try:
        make_folder(lock.parent)
        waiting = filelock.FileLock(lock, timeout=seconds, mode=0o600)
        waiting.acquire()
    except filelock.Timeout as error:
        raise Busy(complaint, remedy="wait for it to end, then run again.") from error
    except OSError as error:
        raise Unreachable(
            f"{lock.parent} cannot be written: {error}.",
            remedy="check the folder's permissions and space.",
        ) from error
    try:
        yield
    finally:
        waiting.release()
