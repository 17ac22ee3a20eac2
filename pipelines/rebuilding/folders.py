"""The folders in which versions are built again: gone at the end, also where it was a kill.

They hold copies of rows, so none may stay. Each is held under the kernel's lock on a file in it,
which ends with its process: a folder whose lock is free is of a rebuild that was killed, and the
next rebuild, or `perennial prune`, removes it.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.errors import Busy
from pipelines.locks import hold
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings

_LOCK = "at-work.lock"
_COMPLAINT = "Another rebuild begins or clears up."
_ENDED = 128 + signal.SIGTERM


@contextmanager
def rebuild_folder(settings: Settings) -> Iterator[Path]:
    """Yield a new folder of this rebuild's own (mode 700), which is gone afterwards.

    Those that killed rebuilds left are removed first. SIGTERM ends the block in order, as Ctrl-C
    does. Raises Busy.
    """
    folder = _root(settings) / os.urandom(6).hex()
    with _end_in_order(), ExitStack() as held:
        with _hold_root(settings):
            for abandoned in _abandoned(settings):
                shutil.rmtree(abandoned)
            make_folder(folder)
            held.enter_context(hold(folder / _LOCK, _COMPLAINT, seconds=0))
        try:
            yield folder
        finally:
            with _hold_root(settings):
                shutil.rmtree(folder)


def find_abandoned(settings: Settings) -> list[Path]:
    """Return the folders of rebuilds that were killed. Raises Busy."""
    if not _root(settings).is_dir():
        return []
    with _hold_root(settings):
        return _abandoned(settings)


def _abandoned(settings: Settings) -> list[Path]:
    """Return the folders of which nobody holds the lock; only while holding that of all."""
    folders = [p for p in sorted(_root(settings).iterdir()) if p.is_dir() and not p.is_symlink()]
    return [folder for folder in folders if not _is_held(folder)]


def _is_held(folder: Path) -> bool:
    try:
        with hold(folder / _LOCK, _COMPLAINT, seconds=0):
            return False
    except Busy:
        return True


def _hold_root(settings: Settings) -> Any:
    return hold(_root(settings) / ".lock", _COMPLAINT, seconds=settings.lock_timeout_seconds)


def _root(settings: Settings) -> Path:
    return settings.state / "rebuilds"


@contextmanager
def _end_in_order() -> Iterator[None]:
    """Let SIGTERM, by which Airflow ends a task, raise SystemExit; only a main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(_number: int, _frame: Any) -> None:
    raise SystemExit(_ENDED)
