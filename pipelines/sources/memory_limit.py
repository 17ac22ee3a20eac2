"""How much memory the reading of a source may take.

Half of what the machine, the container and the spec allow.
"""

from __future__ import annotations

from pipelines.engine import step_memory
from pipelines.spec.resources import Resources


def most_memory(resources: Resources, default: str | None = None) -> int:
    """Return the bytes that reading, or a model's own code, may take.

    Half of what the step may plan with (`default` is the setting PERENNIAL_MEMORY). The other half
    is for the rows once they are read: they are sorted and written.
    """
    return step_memory(resources, default) // 2


def most_bytes(memory: int | None = None) -> int:
    """Return how many bytes a file may unpack to: reading a CSV or JSON takes six times as much."""
    return (memory or most_memory(Resources())) // 6
