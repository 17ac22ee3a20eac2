"""Look at everything that a system needs, and say for each thing how it is and what to do.

Nothing is changed.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipelines.deployment.servers import target_of
from pipelines.errors import PerennialError
from pipelines.ledger.sql import SqlLedger
from pipelines.ops import agreement
from pipelines.ops.doctor import (
    alerts,
    broker,
    bucket,
    champions,
    kubernetes,
    machine,
    modes,
    packages,
    pods,
    pools,
    signing,
)
from pipelines.ops.doctor import docker as engine
from pipelines.ops.findings import Finding, ok, problem, run_check
from pipelines.spec import model_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.deployment.kubernetes.api import Cluster
    from pipelines.deployment.serving_client import Server
    from pipelines.ledger import Champion
    from pipelines.ops.doctor.machine import Room
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings


def diagnose(
    settings: Settings,
    ports: ConfiguredPorts,
    server: Server,
    docker: ReleaseEngine | None = None,
    cluster: Cluster | None = None,
    room: Callable[[Path], Room] = shutil.disk_usage,
) -> Iterator[Finding]:
    """Yield the findings as they are made.

    `docker` is the engine where steps or releases are containers, `cluster` where releases are
    pods. `room` returns the room of a folder's disk.
    """
    checks = {
        "Python": machine.check_python,
        "packages": lambda: machine.check_packages(settings),
        "steps": lambda: packages.check_training(settings),
        "ports": lambda: machine.check_ports(settings),
        "disk": lambda: machine.check_disks(settings, room),
        "bucket": lambda: bucket.check_bucket(settings),
        "clock": lambda: machine.check_clocks(settings),
        "restore": lambda: machine.check_restore(settings),
        "killed backup": lambda: machine.check_scratch(settings),
        "keys": lambda: machine.check_keys(settings),
        "signing keys": lambda: signing.check_signing_keys(settings),
        "modes": lambda: modes.check_modes(settings),
        "locks": lambda: machine.check_locks(settings),
        "databases": lambda: agreement.check_databases(settings),
        "ledger": lambda: champions.check_ledger(settings),
        "ledger's anchor": lambda: champions.check_anchor(settings, ports),
        "agreement": lambda: agreement.check_agreement(settings, ports),
        "alerts": lambda: alerts.check_alerts(settings),
        "broker": lambda: broker.check_broker(settings),
        "pools": lambda: pools.check_pools(settings),
        "state of steps' pods": lambda: pods.check_state(settings),
        "store of releases' pods": lambda: pods.check_store(settings),
        "cluster of steps": lambda: pods.check_step_pods(settings),
    }
    for what, check in checks.items():
        yield from run_check(what, check)
    engine_that_answers = docker
    if docker is not None:
        findings = run_check("Docker engine", lambda: _check_engine(docker))
        yield from findings
        engine_that_answers = docker if all(finding.state == "ok" for finding in findings) else None
    if engine_that_answers is not None:
        yield from run_check("images", lambda: engine.check_images(settings, engine_that_answers))
        yield from run_check("containers", lambda: engine.check_containers(engine_that_answers))
    if cluster is not None:
        yield from run_check("cluster", lambda: kubernetes.check_cluster(cluster))
        folders = set(model_names(settings.models))
        yield from run_check(
            "Deployments", lambda: kubernetes.check_strangers(settings, cluster, folders)
        )
    try:
        models = champions.models_with_champion(settings)
    except PerennialError as error:
        yield problem("champions", error.message, error.remedy or "see docs/operate.md.")
        return
    for model in models:
        yield from champions.check_champion(
            settings,
            ports,
            model,
            server,
            engine_that_answers if settings.target == "docker" else None,
        )
        champion = SqlLedger(settings.ledger_url, migrate=False).champion(model)
        if cluster is not None and champion and target_of(settings, model) == "kubernetes":
            yield from _check_pods(settings, cluster, model, champion)


def _check_pods(
    settings: Settings, cluster: Cluster, model: str, champion: Champion
) -> list[Finding]:
    return run_check(
        f"{model}: pods", lambda: kubernetes.check_pods(settings, cluster, model, champion)
    )


def _check_engine(docker: ReleaseEngine) -> Iterator[Finding]:
    docker.containers({"perennial": "1"})
    yield ok("Docker engine", "answers")
