"""What tells that a model's folder has changed, without reading its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


SLOW_SECONDS = 2.0
"""A folder that takes longer to read is named; one of a usual size takes hundredths of a second."""


def say_slow(folder: str, seconds: float) -> str:
    """Return the sentence about a model's folder that takes long to read."""
    return (
        f"{folder}: it takes {seconds:.1f} s to read, and whoever reads the fleet waits for it;"
        " make model.yaml smaller, or put the folder on a faster disk."
    )


def fingerprint(folder: Path) -> str:
    """Return a text that is another one when a file in the folder was made, changed or removed.

    It is made of names, sizes and times. A folder that cannot be listed has the error's name.
    """
    try:
        with os.scandir(folder) as entries:
            return "\n".join(sorted(_print_of(entry) for entry in entries))
    except OSError as error:
        return type(error).__name__


def _print_of(entry: os.DirEntry[str]) -> str:
    try:
        found = entry.stat()
    except OSError as error:  # a link to nothing, or a file that has just gone
        return f"{entry.name}\0{type(error).__name__}"
    return f"{entry.name}\0{found.st_ino}\0{found.st_size}\0{found.st_mtime_ns}"
