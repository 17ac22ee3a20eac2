"""The place `docker`: the operator that runs any step in a container of the steps image, under the
limits of the model's spec.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException
from docker.errors import DockerException
from docker.types import Mount
from requests import RequestException

from perennial_airflow.kept_settings import current_settings
from perennial_airflow.places.container_setup import Setup
from perennial_airflow.places.docker_engine import StepEngine, make_unreachable
from perennial_airflow.places.docker_place import DockerPlace
from perennial_airflow.places.step_environment import step_environment
from perennial_airflow.places.step_operator import StepOperator
from pipelines.container_paths import STATE, TRUST, trust_in_container
from pipelines.errors import GiveUp
from pipelines.refs import digest
from pipelines.steps.catalogue import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context
    from docker import APIClient

    from perennial_airflow.places.place import Place
    from pipelines.settings import Settings

GATEWAY = "/gateway"
"""Where a step's container finds what it shares with the gateway."""


# `execute` returns a step's result.
class DockerStepOperator(StepOperator, DockerOperator):  # type: ignore[misc]
    """Runs one step of one model in a container of its own, which is gone when the task ends.

    `limits` are the spec's: {"memory", "cpus", "network"}, each of which may be absent. What is
    secret is read from the worker's environment when the step starts, and stands in no field of the
    operator. Of DockerOperator this uses the parameters and the connection; the container is
    `perennial_airflow.places.docker_place`'s, for the provider's can neither drop privileges nor
    limit cores, pulls what is missing, and takes the last line for the result.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        *,
        limits: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember what to run; the engine is not asked before `execute`."""
        used_settings, used_limits = settings or current_settings(), dict(limits or {})
        super().__init__(
            image=used_settings.steps_image,
            docker_url=used_settings.docker_host,
            network_mode=used_limits.get("network") or used_settings.docker_network,
            mem_limit=used_limits.get("memory"),
            auto_remove="force",
            mount_tmp_dir=False,
            **kwargs,
        )
        self.limits = used_limits
        self._settings = used_settings

    def _place(self, context: Context) -> Place:
        """Return a container for this try of the step."""
        return self.place or DockerPlace(
            StepEngine(self._client(), self._settings.docker_host), self._setup(context)
        )

    def _client(self) -> APIClient:
        try:
            return self.cli
        except (AirflowException, DockerException, RequestException) as error:
            raise make_unreachable(self._settings.docker_host, error) from error

    def _setup(self, context: Context) -> Setup:
        settings, ti = self._settings, context["ti"]
        mounts, environment = (
            container_mounts(settings, self.step),
            container_environment(os.environ, settings, self.step),
        )
        if settings.docker_state is None:
            settings.state.mkdir(parents=True, exist_ok=True)
        if self.limits.get("network") == "host" != settings.docker_network:
            raise GiveUp(
                "A step's container does not join its host's own network.",
                remedy=(
                    "name a Docker network in `resources.network` of model.yaml, or leave it out."
                ),
            )
        return Setup(
            name=container_name(
                settings, self.model, self.step, ti.dag_id, ti.run_id, ti.map_index
            ),
            image=self.image,
            labels={
                "perennial.model": self.model,
                "perennial.step": self.step,
                "perennial.run": ti.run_id,
            },
            environment=environment,
            mounts=mounts,
            network=str(self.network_mode),
            user=f"{os.getuid()}:{os.getgid()}" if _is_folder(settings) else None,
            memory=self.limits.get("memory"),
            cpus=self.limits.get("cpus"),
        )


def container_name(settings: Settings, model: str, step: str, *run: object) -> str:
    """Return the name of a step's container, the same for each try.

    A run's id may hold anything, so only its hash stands in it.

    `run` tells the task apart: DAG, run id, map index. Two installations on one engine are told
    apart by their state.
    """
    return f"perennial-step-{model}-{step}-{digest(_state(settings), *run)[:12]}"


def container_mounts(settings: Settings, step: str) -> tuple[Mount, ...]:
    """Return the mounts of a step's container.

    The state, the trusted keys where they are a volume, and for those that deploy containers what
    is shared with the gateway.
    """
    kind = "bind" if _is_folder(settings) else "volume"
    mounts = [Mount(STATE, _state(settings), type=kind)]
    if settings.docker_trust is not None:
        mounts.append(Mount(TRUST, settings.docker_trust, type="volume", read_only=True))
    if _deploys(settings, step):
        gateway = str(settings.gateway) if kind == "bind" else settings.docker_gateway
        mounts.append(Mount(GATEWAY, gateway, type=kind))
    return tuple(mounts)


def container_environment(
    environ: Mapping[str, str], settings: Settings, step: str
) -> dict[str, str]:
    """Return the environment of a step's container.

    The worker's settings, but with the container's own folders.

    Raises GiveUp where a setting names a folder or an engine that a container cannot reach.
    """
    environment = step_environment(environ, settings, step)
    environment |= {"PERENNIAL_DOCKER_STATE": _state(settings)} | trust_in_container(settings)
    if settings.target == "docker" and not urlsplit(settings.docker_host).scheme.startswith(
        ("tcp", "http")
    ):
        raise GiveUp(
            "A step in a container cannot deploy containers over the engine's own socket.",
            remedy=(
                "set PERENNIAL_DOCKER_HOST to the tcp:// address of the door to the engine, or"
                " PERENNIAL_PLACE=process."
            ),
        )
    if _deploys(settings, step):
        environment |= {"PERENNIAL_GATEWAY": GATEWAY, "PERENNIAL_DOCKER_HOST": settings.docker_host}
    return environment


def _deploys(settings: Settings, step: str) -> bool:
    return settings.target == "docker" and STEPS[step].deploys


def _state(settings: Settings) -> str:
    return settings.docker_state or str(settings.state)


def _is_folder(settings: Settings) -> bool:
    """Tell whether the state is a folder of the engine's host.

    Then the container writes there as the worker does.
    """
    return _state(settings).startswith("/")
