"""How much memory there is: what the machine has free, and what its control groups allow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_CGROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Return the smallest of the bytes that the machine has free and those that a group allows."""
    return min([int(psutil.virtual_memory().available), *group_limits()])


def group_limits(root: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """Yield the memory limits of this process's control groups, from its own up to the root's.

    Versions 2 and 1 of control groups are known.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in {"", "memory"}:
            base, file = (
                (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
            )
            group = base / path.lstrip("/")
            for folder in (group, *group.parents):
                yield from _limit(folder / file)
                if folder == base:
                    break


def _limit(file: Path) -> Iterator[int]:
    """Yield what the file says, where it is there and says a number."""
    try:
        text = file.read_text().strip()
    except OSError:
        return
    if text.isdigit():
        yield int(text)
