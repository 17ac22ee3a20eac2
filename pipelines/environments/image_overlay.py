"""An overlay for the Python of an image, which has neither uv nor a network to install it.

It is made where a release is deployed, of the same lock and the same hashes, and copied into an
image; there its files are held against its record before anything is imported.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.environments.interpreter import absent_packages
from pipelines.environments.lock import only, packages
from pipelines.environments.overlay import overlays
from pipelines.environments.recorded_files import SITE, find_damage, write_record
from pipelines.environments.uv import install_target
from pipelines.errors import Corrupted, Refused
from pipelines.locks import hold
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.environments.interpreter import Interpreter
    from pipelines.environments.record import EnvironmentRecord
    from pipelines.settings import Settings

_SCRATCH = ".image."


def folder_of(record: EnvironmentRecord) -> str:
    """Return the name of an environment's overlay among the packages of an image."""
    return record.sha256[:32]


@contextlib.contextmanager
def new_overlay(settings: Settings, lock: str, interpreter: Interpreter) -> Iterator[Path]:
    """Yield a folder with what an interpreter elsewhere lacks of a lock; it is gone afterwards.

    No bytecode is in it: only that Python could make it. Raises what `run_uv` raises, Conflict
    where the interpreter has another version of a package, Busy.
    """
    absent = absent_packages(
        packages(lock),
        interpreter.packages,
        where="the image that it shall lie over",
        remedy="run `make images`, with the lock that the model was trained by.",
    )
    parent = overlays(settings)
    make_folder(parent)
    complaint = "Another process installs packages for an image."
    with hold(parent / "image.lock", complaint, seconds=settings.lock_timeout_seconds):
        for abandoned in parent.glob(f"{_SCRATCH}*"):
            shutil.rmtree(abandoned)  # of a builder that was killed: we hold the lock
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=parent) as name:
            folder = Path(name) / "overlay"
            (folder / SITE).mkdir(parents=True)
            if absent:
                install_target(
                    *(folder / SITE, only(lock, set(absent)), Path(name)),
                    *("--python-version", interpreter.version),
                    *("--python-platform", interpreter.platform),
                )
            write_record(folder)
            yield folder


def find_in_image(record: EnvironmentRecord, image_packages: Path) -> str:
    """Return the folder of an environment's packages within the image that this process runs in.

    Every file is held against its recorded hash. Raises Refused where the image does not bring the
    environment, Corrupted naming a file that is not what was recorded.
    """
    folder = image_packages / folder_of(record)
    if not folder.is_dir():
        raise Refused(
            f"This image brings no packages of environment {record.sha256[:12]}"
            f" ({', '.join(record.requirements)}), and nothing is installed in it.",
            remedy="deploy the model (PERENNIAL_TARGET=docker): its release's image has them.",
        )
    damage = find_damage(folder, thorough=True)
    if damage:
        raise Corrupted(
            f"The packages of environment {record.sha256[:12]} in this image: {damage}.",
            remedy="remove the release's image, then `perennial reconcile` builds it anew.",
        )
    return str(folder / SITE)
