"""What a step's container is made of: image, mounts, limits, and no privilege."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docker.types import LogConfig, Mount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import APIClient

# In the container, which has its own.
TMPFS = {"/tmp": "rw,nosuid,nodev,noexec,size=1g,mode=1777"}  # noqa: S108


PIDS = 1_024


LOGS = LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "2"})


@dataclass(frozen=True)
class Setup:
    """What a step's container is made of. `environment` may hold secrets: it is shown nowhere."""

    name: str
    image: str
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(repr=False)
    mounts: tuple[Mount, ...]
    network: str
    user: str | None = None
    memory: str | None = None
    cpus: float | None = None

    def create_options(self, client: APIClient, image: str) -> dict[str, Any]:
        """Return what the engine is asked for.

        A container that writes to its mounts and /tmp only, and holds no privilege.

        `image` is the image's id, which the step is told.
        """
        limits: dict[str, Any] = {}
        if self.memory is not None:
            limits |= {"mem_limit": self.memory, "memswap_limit": self.memory}
        if self.cpus is not None:
            limits["nano_cpus"] = round(self.cpus * 1e9)
        host_config = client.create_host_config(
            network_mode=self.network,
            mounts=list(self.mounts),
            read_only=True,
            tmpfs=TMPFS,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            init=True,
            pids_limit=PIDS,
            log_config=LOGS,
            **limits,
        )
        environment = {**self.environment, "PERENNIAL_IMAGE": image}
        return {
            "name": self.name,
            "user": self.user,
            "environment": environment,
            "host_config": host_config,
        }
