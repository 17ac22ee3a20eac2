"""Checks of the packages that a champion's bundle records beside Perennial's lock."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipelines.bundle.load import read_manifest
from pipelines.deployment.servers import target_of
from pipelines.environments.overlay import verify
from pipelines.environments.ready import read_lock
from pipelines.environments.resolution import find_yanked
from pipelines.errors import TryAgain
from pipelines.ops.findings import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.ledger import Champion
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings


TRAINING = "sklearn"
"""The module without which nothing is trained."""


def check_training(settings: Settings) -> Iterator[Finding]:
    """Where steps run in this very Python, it has what they train with."""
    if settings.place != "process":
        return
    if find_spec(TRAINING) is None:
        yield problem(
            "steps",
            "Steps run as processes of this Python, which has no library that trains.",
            "let PERENNIAL_PLACE name docker or kubernetes, or use an image with the packages of"
            " docker/steps.txt.",
        )
    else:
        yield ok("steps", "run as processes of this Python, which can train")


def check_packages(
    settings: Settings, ports: ConfiguredPorts, model: str, champion: Champion
) -> Iterator[Finding]:
    """They are installed as they were recorded, go with the lock, and none was yanked since.

    Nothing is installed; the index is asked. No finding where the bundle records none.
    """
    what = f"{model}: packages"
    manifest = read_manifest(ports.store, champion.bundle)
    if manifest.environment is None:
        return
    name = manifest.environment.sha256[:12]
    lock = read_lock(manifest.environment, ports.store)
    damage = verify(settings, lock)
    if damage:
        # The next step of the model installs them. What is compiled answers without them, and so
        # does a container, whose image has its own, or a pod, which has them from the store.
        elsewhere = target_of(settings, model) in {"docker", "kubernetes"}
        answers = manifest.packages is None or elsewhere
        kind = warning if answers else problem
        yield kind(
            what,
            f"Environment {name} is not whole: {damage}.",
            f"`perennial check {model}` installs it again.",
        )
        return
    try:
        yanked = find_yanked(lock)
    except TryAgain as error:
        yield ok(what, f"environment {name} is whole ({error.message})")
        return
    if yanked:
        yield warning(
            what,
            f"Environment {name} is whole, but since it was resolved: {yanked}.",
            "read why, and name another version in `requires`.",
        )
    else:
        yield ok(what, f"environment {name} is whole, and nothing in it was yanked")
