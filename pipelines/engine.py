"""What DuckDB may use in one step: memory, threads, and a folder for what does not fit."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.byte_sizes import bytes_of
from pipelines.fence.memory import free_memory
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings
    from pipelines.spec.resources import Resources

LEAST_MEMORY = 64 * 2**20
"""Below this, DuckDB cannot sort or join anything."""
SHARE = 2
"""One part of a step's memory is the engine's; the others are Python's, and the rows' in flight."""


@dataclass(frozen=True)
class Engine:
    """The limits of DuckDB: bytes of memory, threads, and the folder that it spills into."""

    memory: int
    threads: int
    spill: Path


def engine_of(resources: Resources, settings: Settings) -> Engine:
    """Return the limits of a model's steps on this machine."""
    return Engine(
        memory=max(step_memory(resources, settings.memory) // SHARE, LEAST_MEMORY),
        threads=settings.engine_threads or _cores(resources.cpus),
        spill=settings.spill,
    )


def step_memory(resources: Resources, default: str | None = None) -> int:
    """Return the bytes that one step may plan with.

    The smallest of `resources.memory` of the spec (else the default), the limits of the control
    groups that this process is in, and the memory that the machine has left.
    """
    named = resources.memory or default
    return min([free_memory(), *([bytes_of(named)] if named else [])])


def _cores(cpus: float | None) -> int:
    """Return the cores that this process may run on, at most those that the spec allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, math.ceil(cpus) if cpus else cores or 1))


def configuration(engine: Engine, folder: Path, threads: int | None = None) -> dict[str, Any]:
    """Return DuckDB's configuration of a connection that spills into a folder of its own."""
    return {
        "memory_limit": f"{engine.memory}B",
        "threads": threads or engine.threads,
        "temp_directory": str(folder),
    }


@contextlib.contextmanager
def work_folder(spill: Path) -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards.

    What processes left behind that were killed is removed first: nobody holds its lock.
    """
    make_folder(spill)
    for entry in spill.iterdir():
        if entry.is_dir() and (lock := _lock(entry)) is not None:
            shutil.rmtree(entry, ignore_errors=True)
            os.close(lock)
    folder = Path(tempfile.mkdtemp(prefix="step-", dir=spill))
    lock = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed, or the process ends; None where another has."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # gone since it was listed, or another user's
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
