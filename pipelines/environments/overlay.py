"""An environment on the disk: a folder with what the running Python does not have already.

It is appended to `sys.path`, so whatever Perennial itself runs on comes first. It lies in the state
folder under a name made of the lock, the Python and the packages in it, is built beside its place
and renamed, and remembers each of its files: one that was half built or touched is built anew.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.environments.lock import only, packages
from pipelines.environments.record import running_python
from pipelines.environments.shadows import refuse_shadows
from pipelines.environments.uv import WHEELS, run_uv
from pipelines.errors import Conflict
from pipelines.locks import hold
from pipelines.private_files import make_folder
from pipelines.refs import canonical, digest, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

FORMAT = 1
SITE = "site"
RECORD = "record.json"
_CACHES = "__pycache__"


def overlays(settings: Settings) -> Path:
    """Return the folder of all overlays."""
    return settings.state / "environments"


def base_path(settings: Settings) -> list[str]:
    """Return where this Python finds modules, overlays left out."""
    here = overlays(settings)
    return [entry for entry in sys.path if not Path(entry or ".").is_relative_to(here)]


def absent_packages(lock: str, path: list[str]) -> dict[str, str]:
    """Return the versions of a lock's packages that are not installed on a path, by name.

    Raises Conflict where one is installed in another version than the lock says.
    """
    absent = {}
    for name, version in packages(lock).items():
        found = next(iter(metadata.distributions(name=name, path=path)), None)
        if found is None:
            absent[name] = version
        elif found.version != version:
            raise Conflict(
                f"The environment needs {name} {version}, but {found.version} is installed in"
                f" {sys.prefix}.",
                remedy=f"run `make venv`, or remove {name} there.",
            )
    return absent


def overlay_folder(settings: Settings, lock: str, absent: dict[str, str]) -> Path:
    """Return where the overlay of a lock is, or would be."""
    name = digest(FORMAT, sha256(lock.encode()), running_python(), absent)
    return overlays(settings) / name[:32]


def install(settings: Settings, lock: str) -> list[str]:
    """Return the paths of an environment, installed unless it is there whole.

    None where the running Python has all of it. Of two that install at once, one does it and the
    other waits. The record's time says when an overlay was last used.

    Raises what `run_uv` and `refuse_shadows` raise, Conflict as `absent_packages`, Busy.
    """
    path = base_path(settings)
    absent = absent_packages(lock, path)
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
                _build(folder, only(lock, set(absent)), path)
    os.utime(folder / RECORD)
    return [str(folder / SITE)]


def _build(folder: Path, lock: str, path: list[str]) -> None:
    """Install into a scratch folder, look at what came, and put it in place."""
    make_folder(folder.parent)
    for abandoned in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(abandoned)  # of a builder that was killed: we hold the lock
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        new = scratch / "new"
        new.mkdir(mode=0o700)
        (scratch / "lock.txt").write_text(lock, encoding="utf-8")
        run_uv(
            [
                *("pip", "install", "--python", sys.executable, "--target", str(new / SITE)),
                *("--require-hashes", "--no-deps", "--compile-bytecode", "--link-mode", "copy"),
                *(*WHEELS, "--requirements", "lock.txt"),
            ],
            scratch,
        )
        refuse_shadows(new / SITE, path)
        (new / RECORD).write_bytes(canonical({"format": FORMAT, "files": _look(new / SITE)}))
        if folder.exists():
            folder.rename(scratch / "damaged")
        new.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _look(site: Path) -> dict[str, list[Any]]:
    """Return size, time of change (ns) and hash of each file below a folder."""
    return {
        name: [path.stat().st_size, path.stat().st_mtime_ns, sha256(path.read_bytes())]
        for name, path in _files(site)
    }


def _files(site: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(site.rglob("*")):
        if not path.is_dir() or path.is_symlink():
            yield path.relative_to(site).as_posix(), path


def find_damage(folder: Path, *, thorough: bool = False) -> str:
    """Return in words what is wrong with an overlay, nothing where it is whole.

    By size and time of each file, which costs milliseconds; `thorough` compares the hashes. A file
    that is not of the record is damage too, unless it is bytecode: that Python takes only where it
    fits its source.
    """
    try:
        files = _read_record(folder)
    except FileNotFoundError:
        return "it is not there"
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"its record cannot be read: {error}"
    there = dict(_files(folder / SITE))
    for name in sorted(files.keys() | there.keys()):
        if name in files and name in there:
            if not _is_same(there[name], files[name], thorough=thorough):
                return f"{name} was changed"
        elif name in files:
            return f"{name} is gone"
        elif _CACHES not in name.split("/"):
            return f"{name} does not belong to it"
    return ""


def _read_record(folder: Path) -> dict[str, list[Any]]:
    """Return what is recorded of an overlay's files.

    Raises OSError, ValueError, LookupError or TypeError where that cannot be read.
    """
    record = json.loads((folder / RECORD).read_bytes())
    if record["format"] != FORMAT:
        msg = f"its format is {record['format']}"
        raise ValueError(msg)
    return dict(record["files"])


def _is_same(path: Path, recorded: list[Any], *, thorough: bool) -> bool:
    size, changed, content = recorded
    status = path.lstat()
    if path.is_symlink() or status.st_size != size:
        return False
    if thorough:
        return bool(sha256(path.read_bytes()) == content)
    return bool(status.st_mtime_ns == changed)


def find_overlay(settings: Settings, lock: str) -> Path | None:
    """Return where the overlay of a lock is, or would be; None where it needs none.

    Raises Conflict as `absent_packages`.
    """
    absent = absent_packages(lock, base_path(settings))
    return overlay_folder(settings, lock, absent) if absent else None


def verify(settings: Settings, lock: str) -> str:
    """Return in words what is wrong with the overlay of a lock, by hash; nothing is installed."""
    folder = find_overlay(settings, lock)
    return find_damage(folder, thorough=True) if folder is not None else ""
