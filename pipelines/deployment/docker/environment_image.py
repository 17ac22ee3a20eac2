"""The image that has the packages of an environment: a serving image and, in /packages, what that
lacks.

One for all releases of the same environment on the same serving image, so they share its layer. No
line of its Dockerfile runs anything; what the packages are was decided by their hashes before.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.deployment.docker.context import write_archive
from pipelines.deployment.docker.names import environment_image, of_environment
from pipelines.environments.image_overlay import folder_of, new_overlay
from pipelines.environments.interpreter import Interpreter
from pipelines.environments.ready import read_lock
from pipelines.errors import GiveUp, Unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.environments.record import EnvironmentRecord
    from pipelines.settings import Settings
    from pipelines.store.port import Store

PACKAGES = "packages"
"""The folder below / in which the packages lie; the serving images name it to the server."""

ASK_SECONDS = 120.0
"""How long an image's Python may take to tell what it is."""
POLL_SECONDS = 0.1
LOG_LINES = 20


def with_packages(
    engine: ReleaseEngine,
    settings: Settings,
    store: Store,
    base: str,
    record: EnvironmentRecord,
) -> str:
    """Return the id of the image of an environment over a base (its id), built unless it is there.

    Raises GiveUp where the base cannot tell what its Python is, Conflict where it has another
    version of a package, SpecError or Unreachable where the packages cannot be had, Corrupted where
    one is not what was resolved, and what the engine raises.
    """
    tag, labels = environment_image(record, base), of_environment(record, base)
    image = engine.image(tag)
    if image is not None and labels.items() <= image.labels.items():
        return image.id
    interpreter = ask_interpreter(engine, base)
    try:
        with new_overlay(settings, read_lock(record, store), interpreter) as folder:
            context = folder.parent / "context.tar"
            with context.open("w+b") as tar:
                write_archive(
                    tar, {"Dockerfile": _dockerfile(base, labels), **_files(folder, record)}
                )
                tar.seek(0)
                return engine.build(tar, tag, labels).id
    finally:
        for leftover in engine.images(labels, untagged=True):
            engine.remove_image(leftover.id)


def _files(folder: Path, record: EnvironmentRecord) -> dict[str, bytes | Path]:
    """Return the overlay's files by their paths in the context."""
    root = f"root/{PACKAGES}/{folder_of(record)}"
    return {
        f"{root}/{path.relative_to(folder).as_posix()}": path
        for path in folder.rglob("*")
        if path.is_file()
    }


def _dockerfile(base: str, labels: dict[str, str]) -> bytes:
    """Return the Dockerfile; its own labels mark what a failed build leaves behind."""
    marks = " ".join(f'"{key}"="{value}"' for key, value in labels.items())
    return f"FROM {base}\nLABEL {marks}\nCOPY root/ /\n".encode()


def ask_interpreter(engine: ReleaseEngine, image: str) -> Interpreter:
    """Return what the Python of an image is and has, as it says itself in a container.

    Raises GiveUp where it does not say it: an image of an earlier Perennial, or none of ours.
    """
    name = f"perennial-step-interpreter-{secrets.token_hex(6)}"
    host = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": "512m",
        "pids_limit": 64,
    }
    engine.create(
        name,
        image,
        "none",
        host,
        labels={"perennial": "1", "perennial.kind": "step"},
        entrypoint=["python", "-m", "pipelines.environments.interpreter"],
    )
    try:
        engine.start(name)
        code, words = _wait(engine, name)
    finally:
        engine.remove(name)
    try:
        return Interpreter.model_validate_json(words.splitlines()[-1] if words else "")
    except ValidationError as error:
        raise GiveUp(
            f"The image {image[:19]} does not tell what its Python has (exit code {code}):"
            f" {words[-500:] or 'it printed nothing'}",
            remedy="run `make images`, so that the image is of this Perennial.",
        ) from error


def _wait(engine: ReleaseEngine, name: str) -> tuple[int, str]:
    """Return exit code and output of a container that ends by itself."""
    end = time.monotonic() + ASK_SECONDS
    while True:
        container = engine.container(name)
        if container is None:
            raise Unreachable(f"The container {name} was removed while it ran.")
        if not container.running:
            return container.exit_code, engine.logs(name, LOG_LINES)
        if time.monotonic() > end:
            raise Unreachable(
                f"The container {name} did not end within {ASK_SECONDS:g} s.",
                remedy="a retry asks it anew.",
            )
        time.sleep(POLL_SECONDS)
