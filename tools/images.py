"""`make images`: build Perennial's images, one after the other, and print how large each is and how
long it took.

Variables: BASE (a base image for all of them), TAG (default: latest), NETWORK (the network of
builds; default: host, for registries that are reached by the host's ways only), IMAGES (names,
default all). Needs a Docker engine with BuildKit, and nothing of Python but itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD_FAILED = 1
USAGE = 64
UNAVAILABLE = 69
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Image:
    """One image: its folder under docker/, what stands in for its default base, its lock and its
    build arguments.
    """

    folder: str
    lock: str | None
    arguments: tuple[str, ...] = ()


IMAGES = {
    "gateway": Image("gateway", None),
    "door": Image("door", "docker/door.txt"),
    "serving": Image("serving", "docker/serving.txt"),
    "serving-native": Image("serving", "docker/serving-native.txt", ("LOCK_NAME=serving-native",)),
    "steps": Image("steps", "docker/steps.txt"),
    "airflow": Image("airflow", "docker/airflow.txt"),
    "mlflow": Image("mlflow", "docker/mlflow.txt"),
    "postgres": Image("postgres", None),
    "broker": Image("broker", None),
}
"""By name (perennial/NAME), in the order in which they are built: what others wait for comes first.
"""


class Failed(Exception):
    """What stops the command, in words, with its exit code."""

    def __init__(self, message: str, code: int) -> None:
        """Keep the exit code beside the words."""
        super().__init__(message)
        self.code = code


def docker(*arguments: str) -> str:
    """Return what `docker ARGUMENTS` prints. Raises Failed with the end of what it said."""
    try:
        process = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(
            "There is no command `docker`; install Docker (its command-line client and an engine).",
            UNAVAILABLE,
        ) from error
    if process.returncode:
        raise Failed(
            f"`docker {arguments[0]}` failed:\n" + "\n".join(process.stderr.splitlines()[-25:]),
            BUILD_FAILED,
        )
    return process.stdout


def environment() -> dict[str, str]:
    """Return the environment of `docker`: images need BuildKit (caches that are mounted)."""
    return {**os.environ, "DOCKER_BUILDKIT": "1"}


def engine() -> str:
    """Return the engine's version. Raises Failed where none answers."""
    try:
        return docker("version", "--format", "{{.Server.Version}}").strip()
    except Failed as error:
        if error.code == UNAVAILABLE:
            raise
        raise Failed(
            "No Docker engine answers: start Docker, or set DOCKER_HOST.", UNAVAILABLE
        ) from error


def size(name: str) -> int:
    """Return an image's size in bytes."""
    return int(json.loads(docker("image", "inspect", name))[0]["Size"])


def base_size(image: Image, base: str) -> int | None:
    """Return the size of the image's base.

    None where the engine does not keep it under its name (BuildKit pulls for itself).
    """
    text = (ROOT / "docker" / image.folder / "Dockerfile").read_text()
    default = re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    try:
        return size(base or (default[1] if default else ""))
    except Failed:
        return None


def git_commit() -> str:
    """Return the checkout's commit, with `-changed` where files differ from it.

    `unknown` outside git.
    """
    command = ["git", "describe", "--always", "--abbrev=40", "--match=", "--dirty=-changed"]
    try:
        return (
            subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=False
            ).stdout.strip()
            or "unknown"
        )
    except FileNotFoundError:
        return "unknown"


def version() -> str:
    """Return the product's version."""
    match = re.search(r'^version = "([^"]+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return match[1] if match else "0"


def build(name: str, image: Image, settings: dict[str, str], revision: str) -> str:
    """Build one image; return its row of the table.

    Name, size, size beyond its base (MB), seconds.
    """
    lock = hashlib.sha256((ROOT / image.lock).read_bytes()).hexdigest() if image.lock else "none"
    values = [f"VERSION={version()}", f"REVISION={revision}", f"LOCK={lock}", *image.arguments]
    values += [f"BASE={settings['BASE']}"] if settings["BASE"] else []
    arguments = [word for value in values for word in ("--build-arg", value)]
    tag = f"perennial/{name}:{settings['TAG']}"
    began = time.monotonic()
    docker(
        "build",
        "--progress=plain",
        f"--network={settings['NETWORK']}",
        *arguments,
        "-f",
        f"docker/{image.folder}/Dockerfile",
        "-t",
        tag,
        ".",
    )
    seconds = time.monotonic() - began
    total, base = size(tag), base_size(image, settings["BASE"])
    beyond = f"{(total - base) / MEGABYTE:11.0f}" if base is not None else f"{'?':>11}"
    return f"{tag:<34} {total / MEGABYTE:6.0f} {beyond} {seconds:7.1f}"


def images_named(words: str) -> dict[str, Image]:
    """Return the images that are named. Raises Failed for a name that is none."""
    names = words.split() or list(IMAGES)
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        raise Failed(f"There is no image {unknown[0]!r}; there are {', '.join(IMAGES)}.", USAGE)
    return {name: IMAGES[name] for name in names}


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Build what is asked for; return the exit code."""
    settings = {"BASE": "", "TAG": "latest", "NETWORK": "host", "IMAGES": ""}
    settings |= {name: os.environ[name] for name in settings if os.environ.get(name)}
    try:
        images = images_named(settings["IMAGES"])
        say(f"Building with Docker {engine()} …")
        say(f"{'image':<34} {'MB':>6} {'beyond base':>11} {'seconds':>7}")
        revision, began = git_commit(), time.monotonic()
        for name, image in images.items():
            say(build(name, image, settings, revision))
        say(f"{len(images)} images in {time.monotonic() - began:.0f} s")
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
