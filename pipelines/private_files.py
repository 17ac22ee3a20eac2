"""What we write is its owner's alone.

Folders of mode 700, files of mode 600, from the moment they are made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = 0o077
"""The bits by which a file's group and everybody else get at it."""


def keep_private() -> None:
    """Let this process, and those that it starts, make nothing that others can read.

    For libraries that name no mode.
    """
    os.umask(OTHERS)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it that are missing, each of mode 700.

    One that is there stays as it is.
    """
    absent = [folder]
    while not absent[-1].exists() and absent[-1].parent != absent[-1]:
        absent.append(absent[-1].parent)
    for place in reversed(absent):
        place.mkdir(mode=0o700, exist_ok=True)
