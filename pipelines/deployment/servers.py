"""Whom to ask what a model serves: the serving hosts or a gateway, or the pods of a cluster."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipelines.deployment.serving_client import read_serves
from pipelines.deployment.serving_hosts import serving_hosts
from pipelines.errors import PerennialError
from pipelines.spec import load_spec

if TYPE_CHECKING:
    from pipelines.deployment.kubernetes.service import ServiceClient
    from pipelines.deployment.serving_client import Serves
    from pipelines.settings import Settings


class Servers:
    """Whoever serves a model by its spec, else by the settings."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings; nothing is asked."""
        self._settings = settings
        self._hosts = serving_hosts(settings)

    @cached_property
    def _pods(self) -> ServiceClient:
        from pipelines.deployment.kubernetes.service import ServiceClient
        from pipelines.deployment.kubernetes_target import cluster_of

        return ServiceClient(cluster_of(self._settings))

    def model(self, name: str) -> dict[str, Any]:
        """Return all that is said of the model. Raises Unreachable, GiveUp without a cluster."""
        if target_of(self._settings, name) == "kubernetes":
            return self._pods.model(name)
        return self._hosts.model(name)

    def serves(self, model: str) -> Serves:
        """Return what the model serves, and what was refused."""
        if target_of(self._settings, model) == "kubernetes":
            return read_serves(model, self._pods.model(model))
        return self._hosts.serves(model)


def target_of(settings: Settings, model: str) -> str:
    """Return how a model is deployed; one whose spec is broken, as the settings say."""
    try:
        return load_spec(settings.models, model).deploy.target or settings.target
    except PerennialError:
        return settings.target
