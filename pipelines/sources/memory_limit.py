"""How much memory the reading of a source may take.

Half of what the machine, the container and the spec allow.
"""

from __future__ import annotations

from pipelines.fence.memory import free_memory
from pipelines.spec.resources import Resources

_UNITS = {"m": 2**20, "g": 2**30}


def most_memory(resources: Resources) -> int:
    """Return the bytes that reading, or a model's own code, may take.

    Half of the smallest of: `resources.memory` of the spec, the limits of the control groups that
    this process is in, and the memory that the machine has left. The other half is for the rows
    once they are read: they are sorted and written.
    """
    limits = [free_memory()]
    if resources.memory:
        limits.append(int(resources.memory[:-1]) * _UNITS[resources.memory[-1]])
    return min(limits) // 2


def most_bytes(memory: int | None = None) -> int:
    """Return how many bytes a file may unpack to: reading a CSV or JSON takes six times as much."""
    return (memory or most_memory(Resources())) // 6
