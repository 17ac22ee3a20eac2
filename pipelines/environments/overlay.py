"""An environment on the disk: a folder with what the running Python does not have already.

It is appended to `sys.path`, so whatever Perennial itself runs on comes first. It lies in the state
folder under a name made of the lock, the Python and the packages in it, is built beside its place
and renamed, and remembers each of its files: one that was half built or touched is built anew.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.environments.interpreter import absent_packages
from pipelines.environments.lock import only, packages
from pipelines.environments.record import running_python
from pipelines.environments.recorded_files import FORMAT, RECORD, SITE, find_damage, write_record
from pipelines.environments.shadows import refuse_shadows
from pipelines.environments.uv import install_target
from pipelines.locks import hold
from pipelines.private_files import make_folder
from pipelines.refs import digest, sha256

if TYPE_CHECKING:
    from pipelines.settings import Settings

LayKept = Callable[[Collection[str], Path], bool]


def overlays(settings: Settings) -> Path:
    """Return the folder of all overlays."""
    return settings.state / "environments"


def base_path(settings: Settings) -> list[str]:
    """Return where this Python finds modules, overlays left out."""
    here = overlays(settings)
    return [entry for entry in sys.path if not Path(entry or ".").is_relative_to(here)]


def _absent_versions(lock: str, path: list[str]) -> dict[str, str]:
    """Return the versions of a lock's packages that are not installed on a path, by name.

    Raises Conflict where one is installed in another version than the lock says.
    """
    locked = packages(lock)
    installed = {}
    for name in locked:
        found = next(iter(metadata.distributions(name=name, path=path)), None)
        if found is not None:
            installed[name] = found.version
    return absent_packages(
        locked, installed, where=sys.prefix, remedy="run `make venv`, or remove it there."
    )


def overlay_folder(settings: Settings, lock: str, absent: dict[str, str]) -> Path:
    """Return where the overlay of a lock is, or would be."""
    name = digest(FORMAT, sha256(lock.encode()), running_python(), absent)
    return overlays(settings) / name[:32]


def install(settings: Settings, lock: str, lay_kept: LayKept | None = None) -> list[str]:
    """Return the paths of an environment, installed unless it is there whole.

    None where the running Python has all of it. Of two that install at once, one does it and the
    other waits. The record's time says when an overlay was last used. `lay_kept` lays packages, by
    their names, into a folder without an index, and tells whether it did.

    Raises what `run_uv` and `refuse_shadows` raise, Conflict as `absent_packages`, Busy.
    """
    path = base_path(settings)
    absent = _absent_versions(lock, path)
    if not absent:
        return []
    folder = overlay_folder(settings, lock, absent)
    if find_damage(folder):
        with hold(
            folder.with_suffix(".lock"),
            "Another process installs the same packages.",
            seconds=settings.lock_timeout_seconds,
        ):
            if find_damage(folder):
                _build(folder, path, partial(_bring, lock, absent, lay_kept))
    os.utime(folder / RECORD)
    return [str(folder / SITE)]


def _build(folder: Path, path: list[str], bring: Callable[[Path, Path], None]) -> None:
    """Bring the packages into a scratch folder, look at what came, and put it in place."""
    make_folder(folder.parent)
    for abandoned in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(abandoned)  # of a builder that was killed: we hold the lock
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        new = scratch / "new"
        new.mkdir(mode=0o700)
        bring(new / SITE, scratch)
        refuse_shadows(new / SITE, path)
        write_record(new)
        if folder.exists():
            folder.rename(scratch / "damaged")
        new.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _bring(
    lock: str, absent: dict[str, str], lay_kept: LayKept | None, site: Path, scratch: Path
) -> None:
    """Have the absent packages of a lock in a folder: those that the store keeps, else from uv."""
    if lay_kept is None or not lay_kept(absent.keys(), site):
        install_target(site, only(lock, set(absent)), scratch, "--compile-bytecode")


def find_overlay(settings: Settings, lock: str) -> Path | None:
    """Return where the overlay of a lock is, or would be; None where it needs none.

    Raises Conflict as `absent_packages`.
    """
    absent = _absent_versions(lock, base_path(settings))
    return overlay_folder(settings, lock, absent) if absent else None


def verify(settings: Settings, lock: str) -> str:
    """Return in words what is wrong with the overlay of a lock, by hash; nothing is installed."""
    folder = find_overlay(settings, lock)
    return find_damage(folder, thorough=True) if folder is not None else ""
