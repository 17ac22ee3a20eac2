"""A deployment whose process dies: before or behind a call to the engine, the gateway or the
ledger."""

from __future__ import annotations

import pytest

from pipelines.deployment.docker.engine import engine_for
from pipelines.deployment.docker.gateway import Gateway
from pipelines.deployment.docker_target import DockerTarget


class Cut(BaseException):
    """The process dies here."""


class CutAt:
    """Somebody whose method `name` is the last thing that happens.

    Cut off before it, or behind it.
    """

    def __init__(self, inner, name, *, behind):
        self._inner, self._name, self._behind = inner, name, behind

    def __getattr__(self, attribute):
        method = getattr(self._inner, attribute)
        if attribute != self._name:
            return method

        def cut(*args, **kwargs):
            if self._behind:
                method(*args, **kwargs)
            raise Cut

        return cut


class TornGateway(Gateway):
    """Cut off between the routes' file and the running gateway."""

    def _send(self, command):
        if command.startswith(("set map", "add map")):
            raise Cut
        return super()._send(command)


def cut_off(model, version, run, cut):
    """Deploy the version in the run, and die at the cut: who, which method, behind it or not."""
    who, method, behind = cut
    engine, gateway, deploying = (
        engine_for(model.context.settings),
        Gateway(model.yard.folder),
        model,
    )
    if who == "engine":
        engine = CutAt(engine, method, behind=behind)
    elif who == "gateway":
        gateway = CutAt(gateway, method, behind=behind)
    elif who == "torn":
        gateway = TornGateway(model.yard.folder)
    else:
        deploying = model.with_ledger(CutAt(model.context.ports.ledger, method, behind=behind))
    with pytest.raises(Cut):
        deploying.deploy(version, run, DockerTarget(engine, gateway))
