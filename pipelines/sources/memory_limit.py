"""How much memory the reading of a source may take.

Half of what the machine, the container and the spec allow.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.spec.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNITS = {"m": 2**20, "g": 2**30}
_CGROUPS = Path("/sys/fs/cgroup")


def most_memory(resources: Resources) -> int:
    """Return the bytes that reading may take.

    Half of the smallest of: `resources.memory` of the spec, the limits of the control groups that
    this process is in, and the memory that the machine has left. The other half is for the rows
    once they are read: they are sorted and written.
    """
    import psutil

    limits = [int(psutil.virtual_memory().available), *_group_limits()]
    if resources.memory:
        limits.append(int(resources.memory[:-1]) * _UNITS[resources.memory[-1]])
    return min(limits) // 2


def most_bytes(memory: int | None = None) -> int:
    """Return how many bytes a file may unpack to: reading a CSV or JSON takes six times as much."""
    return (memory or most_memory(Resources())) // 6


def _group_limits(root: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
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
