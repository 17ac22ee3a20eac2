"""Images and stopped containers of releases that are too old to go back to, and the images with
packages that those were built on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipelines.deployment.docker.names import OF_ENVIRONMENTS, container_name, image_name
from pipelines.deployment.releases import list_releases
from pipelines.ledger import Crown
from pipelines.ops.prune.leftover import Leftover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.ledger import Ledger

CHAMPIONS = 3
"""So many of a model's newest champions keep their image and container.

An older one's image is built anew by a rollback.
"""


def unused_environment_images(engine: ReleaseEngine, limit: float) -> Iterator[Leftover]:
    """Yield images with packages that no release's image is built on, made before the limit.

    `limit`: seconds since 1970; a younger one may be of a deployment at work. Raises Unreachable.
    """
    releases = engine.images({"perennial": "1", "perennial.kind": "release"})
    bases = {image.labels.get("perennial.base") for image in releases}
    for image in engine.images(OF_ENVIRONMENTS):
        if image.id not in bases and image.created < limit:
            name = f"packages of environment {image.labels['perennial.environment'][:12]}"
            yield Leftover("image", name, 0, partial(_remove, engine.remove_image, image.id))


def unused_images(engine: ReleaseEngine, ledger: Ledger) -> Iterator[Leftover]:
    """Yield stopped containers, then images, of releases that none of a model's newest champions
    is. Raises Unreachable.
    """
    for model in sorted({entry.model for entry in ledger.entries()}):
        champions = ledger.entries(model, "champion", limit=CHAMPIONS)
        champion_releases = {entry.read(Crown).release for entry in champions}
        release_numbers = {release.number for release in list_releases(ledger, model)}
        for number in sorted(
            release_numbers - champion_releases - {max(release_numbers, default=0)}
        ):
            yield from _of_release(engine, model, number)


def _of_release(engine: ReleaseEngine, model: str, number: int) -> Iterator[Leftover]:
    container = engine.container(container_name(model, number))
    if container is not None and container.running:
        return
    if container is not None and container.labels.get("perennial.kind") == "release":
        yield Leftover(
            "container", container.name, 0, partial(_remove, engine.remove, container.name)
        )
    name = image_name(model, number)
    image = engine.image(name)
    if image is not None and image.labels.get("perennial.kind") == "release":
        yield Leftover("image", name, 0, partial(_remove, engine.remove_image, name))


def _remove(remove: Callable[[str], None], name: str) -> bool:
    remove(name)
    return True
