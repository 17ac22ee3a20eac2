"""What the steps of a model and its containers may use.

A container is ended beyond its memory. A process is not; but it plans by it, in both places: what
is read from a source, what own code takes, and what the engine keeps before it spills to the disk.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from pipelines.byte_sizes import Memory
from pipelines.refs import Value

Cpus = Annotated[float, Field(gt=0, le=512)]
NetworkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class Limits(Value):
    """The most that one container may use.

    Memory (beyond it, the kernel ends it) and cores (of which it may have a part).
    """

    memory: Memory | None = None
    """Memory, such as 1g or 2GB."""
    cpus: Cpus | None = None
    """Cores."""


class Resources(Limits):
    """What each step may use, and the Docker network that its container joins.

    `serving` are those of a release's container.
    """

    network: NetworkName | None = None
    """Default: the setting PERENNIAL_DOCKER_NETWORK.

    A model whose source lies in another network names that.
    """
    serving: Limits = Limits()
    """The same of the container that serves."""
