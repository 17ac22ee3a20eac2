"""What a container may take of its host.

Memory, processes and what it keeps in memory as files, each set and each bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from door.rules import FOLDER, Denied, string_map

if TYPE_CHECKING:
    from door.rules import Rules

SHARED_BYTES = 2 * 2**30
"""The most that a tmpfs or the shared memory may hold."""

TMPFS_SIZE = "size=1g"
"""The size of a tmpfs for which none is asked: the engine's own is half of the host's memory."""

TMPFS = 8
"""The most tmpfs of one container."""

UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
SIZE = re.compile(r"size=([0-9]{1,15})([kmg]?)")
OPTION = re.compile(r"rw|ro|noexec|exec|nosuid|nodev|(mode|uid|gid)=[0-9]{1,10}")


def limit_resources(rules: Rules, host: dict[str, Any]) -> dict[str, Any]:
    """Return the memory and processes that a container with this HostConfig may have.

    Raises Denied where more is asked.

    0 means no limit to the engine, and memory without a word on swap means as much again there:
    neither is left open.
    """
    memory = host.get("Memory") or rules.most_memory
    limits = {
        "Memory": memory,
        "MemorySwap": host.get("MemorySwap") or memory,
        "PidsLimit": host.get("PidsLimit") or rules.most_pids,
    }
    for name, most, option in (
        ("Memory", rules.most_memory, "--most-memory"),
        ("MemorySwap", rules.most_memory, "--most-memory"),
        ("PidsLimit", rules.most_pids, "--most-pids"),
    ):
        if limits[name] > most:
            raise Denied(
                f"HostConfig.{name}: {limits[name]} is more than the door's {option}, {most}."
            )
    return limits


def tmpfs(_: Rules, value: Any) -> dict[str, str]:
    """Return the tmpfs, each with a size."""
    tmpfs_by_folder = {
        folder: _with_size(folder, options)
        for folder, options in string_map(value, "tmpfs").items()
    }
    if len(tmpfs_by_folder) > TMPFS:
        raise Denied(f"has more than {TMPFS} of them.")
    return tmpfs_by_folder


def _with_size(folder: str, options: str) -> str:
    parts = [option for option in options.split(",") if option]
    sizes = [size for option in parts if (size := SIZE.fullmatch(option))]
    others = [option for option in parts if not option.startswith("size=")]
    if (
        not FOLDER.fullmatch(folder)
        or len(sizes) + len(others) != len(parts)
        or not all(OPTION.fullmatch(option) for option in others)
    ):
        raise Denied("is not allowed.")
    if len(sizes) > 1 or any(
        not 0 < int(size[1]) * UNITS[size[2]] <= SHARED_BYTES for size in sizes
    ):
        raise Denied(f"has one size, from 1 to {SHARED_BYTES} bytes.")
    return ",".join(parts if sizes else [*parts, TMPFS_SIZE])


def read_size(text: str) -> int:
    """Return the bytes that a text like 512m or 16g says. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,15})([kmg]?)", text.lower())
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is no size like 512m or 16g.")
    return int(match[1]) * UNITS[match[2]]
