"""The folder of the state in which a search that is killed leaves what it has found."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SEARCHES = "searches"
"""Its name within the state."""
KEPT = 14 * 86_400.0
"""Seconds after which a search is removed though nobody resumed it."""


def clear(folder: Path, done: str) -> None:
    """Remove what the search of the key `done` left, and what nobody resumed for weeks."""
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            if each.name == done or time.time() - each.stat().st_mtime > KEPT:
                shutil.rmtree(each)
