"""Checks of the Docker engine.

Does it answer, are the images there and of this checkout, was anything left behind.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pipelines.checkout import commit_of
from pipelines.ops.findings import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.settings import Settings

REVISION = "org.opencontainers.image.revision"
LOCK = "perennial.lock"
_BUILD = "make images."


def check_images(settings: Settings, engine: ReleaseEngine) -> Iterator[Finding]:
    """The images that the settings name: there, and built from this checkout's commit and locks."""
    images = {"steps": settings.steps_image} if settings.place == "docker" else {}
    if settings.target == "docker":
        images |= {
            "serving": settings.serving_image,
            "serving-native": settings.serving_native_image,
        }
    commit = commit_of(settings.home)
    for name, image in images.items():
        what, details = f"image {image}", engine.image(image)
        if details is None:
            yield problem(what, "The engine does not have it.", _BUILD)
            continue
        lock, revision = details.labels.get(LOCK, ""), details.labels.get(REVISION, "")
        locks = _locks(settings.home, name)
        if locks and lock not in locks:
            yield warning(
                what, f"Its lock is {lock[:12] or 'not told'}, not one of this checkout's.", _BUILD
            )
        elif commit and not revision.startswith(commit):
            yield warning(
                what,
                f"It was built from {revision[:12] or 'a commit that it does not tell'}, this is"
                f" {commit[:12]}.",
                _BUILD,
            )
        else:
            yield ok(what, f"{details.id[:19]}, built from {revision[:12] or 'an unknown commit'}")


def check_containers(engine: ReleaseEngine) -> Iterator[Finding]:
    """Containers of steps that nobody removed: their worker was killed."""
    containers = [
        engine.container(name)
        for name in engine.containers({"perennial": "1", "perennial.kind": "step"})
    ]
    names = [c.name for c in containers if c is not None and not c.running]
    for name in names:
        yield warning(
            f"container {name}",
            "Its step has ended, and nobody has removed it.",
            f"docker rm {name}",
        )
    if not names:
        yield ok("containers of steps", f"{len(containers)} run, none was left behind")


def _locks(home: Path, name: str) -> set[str]:
    """Return the hashes of the lock files that an image may have been made from.

    None outside a checkout.
    """
    files = [home / "requirements.txt", home / "docker" / f"{name}.txt"]
    return {
        hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
        if p.is_file() and (home / "docker").is_dir()
    }
