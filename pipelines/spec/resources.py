"""What a model's containers may use.

A process is not limited by this; nor is a container where nothing is said.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from pipelines.refs import Value

Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[mg]$")]
"""Mebibytes or gibibytes, as Docker writes them: 512m, 4g."""

Cpus = Annotated[float, Field(gt=0, le=512)]
NetworkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class Limits(Value):
    """The most that one container may use.

    Memory (beyond it, the kernel ends it) and cores (of which it may have a part).
    """

    memory: Memory | None = None
    """Memory, such as 1g."""
    cpus: Cpus | None = None
    """Cores."""


class Resources(Limits):
    """The limits of each step's container and the Docker network that it joins.

    `serving` are those of a release's container.
    """

    network: NetworkName | None = None
    """Default: the setting PERENNIAL_DOCKER_NETWORK.

    A model whose source lies in another network names that.
    """
    serving: Limits = Limits()
    """The same of the container that serves."""
