"""Look at everything that a system needs, and say for each thing how it is and what to do.

Nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import PerennialError
from pipelines.ops import agreement
from pipelines.ops.doctor import champions, machine, modes
from pipelines.ops.doctor import docker as engine
from pipelines.ops.findings import Finding, looked, ok, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.deployment.serving_client import Server
    from pipelines.ports import EmbeddedPorts
    from pipelines.settings import Settings


def diagnose(
    settings: Settings, ports: EmbeddedPorts, server: Server, docker: ReleaseEngine | None = None
) -> Iterator[Finding]:
    """Yield the findings as they are made.

    `docker` is the engine where steps or releases are containers.
    """
    checks = {
        "Python": machine.python,
        "packages": lambda: machine.packages(settings),
        "ports": lambda: machine.ports(settings),
        "disk": lambda: machine.disk(settings),
        "clock": lambda: machine.clock(settings),
        "restore": lambda: machine.restored(settings),
        "killed backup": lambda: machine.killed(settings),
        "keys": lambda: machine.keys(settings),
        "modes": lambda: modes.modes(settings),
        "locks": lambda: machine.locks(settings),
        "databases": lambda: agreement.sound(settings),
        "ledger": lambda: champions.ledger(settings),
        "ledger's anchor": lambda: champions.anchored(settings, ports),
        "agreement": lambda: agreement.agreeing(settings, ports),
    }
    for what, check in checks.items():
        yield from looked(what, check)
    answering = docker
    if docker is not None:
        yield from (found := looked("Docker engine", lambda: _answering(docker)))
        answering = docker if all(finding.state == "ok" for finding in found) else None
    if answering is not None:
        yield from looked("images", lambda: engine.images(settings, answering))
        yield from looked("containers", lambda: engine.leftovers(answering))
    try:
        models = champions.models_of(settings)
    except PerennialError as error:
        yield problem("champions", error.message, error.remedy or "see docs/operate.md.")
        return
    for model in models:
        yield from champions.champion(
            settings, ports, model, server, answering if settings.target == "docker" else None
        )


def _answering(docker: ReleaseEngine) -> Iterator[Finding]:
    docker.containers({"perennial": "1"})
    yield ok("Docker engine", "answers")
