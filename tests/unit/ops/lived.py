"""A state that has lived: the small world's loop on the real ports, up to a champion or two."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from pipelines.deployment.process_target import ProcessTarget
from pipelines.messages import (
    DeployRequest,
    DeployResult,
    FeaturesRequest,
    GateRequest,
    GateResult,
    IngestRequest,
    PackageRequest,
    TrainRequest,
    ValidateRequest,
)
from pipelines.ops.backup.restoration import restore
from pipelines.steps import deploy, features, gate, ingest, package, train, validate
from tests.served import NOW
from tests.unit.steps.deployments import Following
from tests.worlds import World, as_of

if TYPE_CHECKING:
    from pathlib import Path


def retrain(
    world: World, day: int, run: str, **conf: object
) -> tuple[GateResult, DeployResult | None]:
    """Run the whole loop as of the day, with ports of its own.

    What is promoted is deployed to a server that follows the store.
    """
    context = world.context()
    ingested = ingest.run(
        context, IngestRequest(run=run, now=NOW, conf={"as_of": as_of(day), **conf})
    )
    validated = validate.run(context, ValidateRequest(run=run, ingest=ingested))
    built = features.run(context, FeaturesRequest(run=run, ingest=ingested, validate=validated))
    trained = [
        train.run(context, TrainRequest(run=run, candidate=c.name, features=built))
        for c in context.spec.candidates
    ]
    judged = gate.run(context, GateRequest(run=run, features=built, train=trained))
    if judged.verdict != "promote":
        return judged, None
    packed = package.run(
        context, PackageRequest(run=run, features=built, train=trained, gate=judged)
    )
    return judged, deploy.run(
        context,
        DeployRequest(run=run, gate=judged, package=packed),
        ProcessTarget(Following(context)),
    )


def elsewhere(world: World, home: Path) -> World:
    """Return the same models and data in another home, without any state."""
    shutil.copytree(world.home, home, ignore=shutil.ignore_patterns("var"))
    return World(home)


def restored(world: World, tar: Path, home: Path) -> World:
    """Return a world of its own with the state that the backup holds."""
    other = elsewhere(world, home)
    restore(other.settings, tar, lambda _: None)
    return other


def age(*paths: Path, days: float = 100) -> None:
    """Make files as old as that."""
    moment = time.time() - days * 86_400
    for path in paths:
        os.utime(path, (moment, moment))


def age_all(world: World) -> None:
    age(*(p for p in world.settings.state.rglob("*") if p.is_file() and not p.is_symlink()))
