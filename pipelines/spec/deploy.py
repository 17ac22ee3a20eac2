"""How a champion takes over, and what of a cluster its pods ask for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.byte_sizes import Memory
from pipelines.plain_errors import Impossible, Problem
from pipelines.refs import Value
from pipelines.spec.resources import Cpus

Replica = Annotated[int, Field(ge=1, le=1_000)]


class Replicas(Value):
    """How many pods answer, between two bounds by their load."""

    min: Replica = 2
    """At least so many: with two, one may be lost or moved and the other answers."""
    max: Replica = 4
    """At most so many; not less than `min`."""
    cpu: Annotated[int, Field(ge=5, le=100)] = 70
    """Beyond so many percent of what they request of the processor, there are more of them."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max < self.min:
            raise Impossible(
                [Problem(("max",), f"must not be less than min ({self.min}), found {self.max}")]
            )
        return self


class Requests(Value):
    """What a node must have free for one pod. More than that it may use, up to its limits."""

    memory: Memory | None = None
    """Memory, such as 256MB; default: the limit (`resources.serving.memory`), else 256MB."""
    cpus: Cpus | None = None
    """Cores; default: 0.25, or the limit (`resources.serving.cpus`) where that is less."""


class Deploy(Value):
    """How a champion takes over, and where it serves."""

    strategy: Literal["replace"] = "replace"
    """The new version answers as soon as it has proved itself."""
    target: Literal["kubernetes"] | None = None
    """What deploys it, where that is not what PERENNIAL_TARGET says."""
    replicas: Replicas = Replicas()
    """Of the target `kubernetes`: how many pods answer."""
    requests: Requests = Requests()
    """Of the target `kubernetes`: what each pod asks of its node."""
