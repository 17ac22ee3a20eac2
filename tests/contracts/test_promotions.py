"""Fifty promotions at once on a real ledger: one wins, and every other one is told so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from pipelines.deployment.lock import hold_deployment
from pipelines.deployment.process_target import ProcessTarget, hold_nobody
from pipelines.errors import Conflict
from pipelines.ledger.sql import SqlLedger
from pipelines.settings import Settings
from pipelines.steps import deploy
from tests.unit.steps.deployments import (
    MODEL,
    Following,
    assert_all_agree,
    deploy_request,
    deploy_version,
    reconcile,
    world_to_deploy,
)

RIVALS = 50


def _world(url, folder):
    """A world on this ledger in which version 1 serves, and a registry that knows all rivals."""
    world = world_to_deploy()
    registry = world.context.ports.registry
    for version in range(4, RIVALS + 2):
        registry.register(MODEL, world.built.parent_run, f"run{version}", Path(__file__), {})
    ports = replace(world.context.ports, ledger=SqlLedger(url))
    settings = Settings(state=folder, lock_timeout_seconds=120)
    context = replace(world.context, ports=ports, settings=settings)
    world = replace(world, context=context)
    deploy_version(world, deploy_request(world, "1", None))
    return world


def _race(world, url, hold):
    """Let all rivals begin at once, each on a ledger of its own; return who won."""
    begin = Barrier(RIVALS)
    requests = [deploy_request(world, str(v), "1") for v in range(2, RIVALS + 2)]

    def promote(request):
        ledger = SqlLedger(url, migrate=False)
        context = replace(world.context, ports=replace(world.context.ports, ledger=ledger))
        target = ProcessTarget(Following(context), hold)
        begin.wait(60)
        try:
            return deploy.run(context, request, target).version
        except Conflict:
            return None

    with ThreadPoolExecutor(RIVALS) as pool:
        return [version for version in pool.map(promote, requests) if version]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_fifty_promotions_at_once_exactly_one_wins(kind, databases, tmp_path):
    url = f"sqlite:///{tmp_path}/l.db" if kind == "sqlite" else databases.shop(kind, tmp_path).url
    world = _world(url, tmp_path)
    (winner,) = _race(world, url, hold_deployment)
    assert_all_agree(world, winner)
    assert len(world.context.ports.ledger.entries(MODEL, "champion")) == 2


@pytest.mark.slow
def test_of_fifty_that_hold_nobody_off_at_most_one_wins(tmp_path):
    url = f"sqlite:///{tmp_path}/l.db"
    world = _world(url, tmp_path)
    won = _race(world, url, hold_nobody)
    assert len(won) <= 1
    reconcile(world)
    assert_all_agree(world, won[0] if won else "1")
