"""What the steps of a model and its containers may use.

A container is ended beyond its memory. A process is not; but it plans by it, in both places: what
is read from a source, what own code takes, and what the engine keeps before it spills to the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from pipelines.byte_sizes import Memory
from pipelines.refs import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

Cpus = Annotated[float, Field(gt=0, le=512)]
NetworkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


QueueName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,63}$")]
StepName = Literal[
    "ingest",
    "validate",
    "features",
    "search",
    "train",
    "gate",
    "package",
    "deploy",
    "drift",
    "prove",
    "prepare_replay",
    "replay",
]
"""The steps whose tasks may wait in a queue of their own."""


EngineName = Literal["duckdb", "spark"]
EngineStep = Literal["validate", "features", "drift"]
"""The steps that Spark can compute for."""


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
    queue: QueueName | None = None
    """The queue in which the model's tasks wait for a worker; default: Airflow's `default`.

    Only where tasks go to workers over a broker (CeleryExecutor). A worker takes tasks from the
    queues that it names.
    """
    queues: dict[StepName, QueueName] = Field(default_factory=dict)
    """The same for single steps, such as `train: large`."""
    pool: QueueName | None = None
    """Airflow's pool in which the model's tasks take a slot each; default: `default_pool`.

    One of the setting PERENNIAL_POOLS.
    """
    pools: dict[StepName, QueueName] = Field(default_factory=dict)
    """The same for single steps, such as `ingest: warehouse`."""
    priority: Annotated[int, Field(ge=0, le=10)] = 0
    """How urgent the model's retrainings are beside others of its owner, up to 10.

    Where they wait in line, 1 is worth an hour that it had waited longer. Of tasks that wait for a
    worker, Airflow begins those with more first.
    """
    engine: EngineName | None = None
    """What computes over many rows; default: the setting PERENNIAL_ENGINE.

    Spark is where PERENNIAL_SPARK_MASTER says.
    """
    engines: dict[EngineStep, EngineName] = Field(default_factory=dict)
    """The same for single steps: `validate`, `features`, `drift` (whose window's rows are built).
    """
    serving: Limits = Limits()
    """The same of the container that serves."""

    def engine_of(self, step: EngineStep, default: EngineName) -> EngineName:
        """Return what runs a step: what is said of it, of all steps, or else the default."""
        return self.engines.get(step, self.engine or default)

    @property
    def named_pools(self) -> set[str]:
        """The pools that the model's tasks take slots in."""
        return {*self.pools.values(), *([self.pool] if self.pool else [])}


def say_unknown_pool(pool: str, known: Iterable[str]) -> str:
    """Return in words that nobody makes a pool that a spec names, and which there are."""
    names = ", ".join(sorted(known))
    others = f"it has {names}" if names else "it names none"
    return f"resources: PERENNIAL_POOLS makes no pool {pool!r} ({others}), so tasks would wait"
