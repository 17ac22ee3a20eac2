"""uv as a program: where it is, and what it says in our words.

Which index it asks, by which proxy and with which password is the environment's business (UV_*,
or PIP_INDEX_URL where no UV_* names one); nothing of it is kept in a file of ours.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import Corrupted, GiveUp, PerennialError, SpecError, StorageFull, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 1_800
"""How long one call may take: an environment of a few GB over a slow line."""

WHEELS = ("--only-binary", ":all:")
"""Nothing is built from its sources: that would run the package's code, with our rights."""

LONGEST = 900
"""Characters of what uv says that a message shows."""

_INDEXES = ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_UNSOLVED = "No solution found"
_AWAY = "network was disabled"
_FULL = "No space left on device"
_CHANGED = re.compile(r"hash mismatch", re.IGNORECASE)
_USER = re.compile(r"//[^/@\s]+@")


def find_uv() -> Path:
    """Return uv: that of the running environment, else the PATH's. Raises GiveUp."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise GiveUp(
            f"uv, which installs the packages of `requires`, is neither beside {sys.executable} nor"
            " on the PATH.",
            remedy="run `make venv` (it installs uv), or `pip install uv`.",
        )
    return Path(found)


def run_uv(arguments: Sequence[str], folder: Path) -> str:
    """Run uv in a scratch folder, which holds its cache too, and return its warnings.

    Raises SpecError where the requirements cannot be met, Unreachable where the index does not
    answer, Corrupted where a file is not what its hash says, StorageFull.
    """
    command = [str(find_uv()), *arguments, "--no-progress", "--color=never"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            umask=0o077,
        )
    except subprocess.TimeoutExpired as error:
        raise Unreachable(
            f"The package index did not deliver within {SECONDS} s.", remedy="try again."
        ) from error
    if done.returncode:
        raise _error(done.stderr)
    return done.stderr


def install_target(site: Path, lock: str, scratch: Path, *options: str) -> None:
    """Install all packages of a lock into a folder, by their hashes and from wheels alone.

    Raises as `run_uv`.
    """
    (scratch / "lock.txt").write_text(lock, encoding="utf-8")
    run_uv(
        [
            *("pip", "install", "--python", sys.executable, "--target", str(site), *options),
            *("--require-hashes", "--no-deps", "--link-mode", "copy"),
            *(*WHEELS, "--requirements", "lock.txt"),
        ],
        scratch,
    )
    (site / ".lock").unlink(missing_ok=True)  # uv's own


def _environment(folder: Path) -> dict[str, str]:
    environ = {
        **os.environ,
        "UV_PYTHON_DOWNLOADS": "never",
        "PYC_INVALIDATION_MODE": "CHECKED_HASH",
    }
    environ.setdefault("UV_CACHE_DIR", str(folder / "cache"))
    if not any(environ.get(name) for name in _INDEXES):
        # uv reads no configuration of pip; whoever has set pip's index means all installers
        pips = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX"}
        environ |= {ours: environ[pip] for pip, ours in pips.items() if environ.get(pip)}
    return environ


def _error(text: str) -> PerennialError:
    said = words(text)
    if _FULL in text:
        return StorageFull("No space is left to install packages.", remedy="make room.")
    if _AWAY in text:
        return Unreachable(
            f"The package index was not asked: {said}",
            remedy="unset UV_OFFLINE, or let uv's cache hold the packages.",
        )
    if _UNSOLVED in text:
        return SpecError(f"The packages cannot be resolved: {said}")
    if _CHANGED.search(text):
        return Corrupted(
            f"A package is not what was resolved: {said}",
            remedy="see who changed it: the index must deliver the recorded file.",
        )
    return Unreachable(
        f"The package index did not answer: {said}",
        remedy="check the network, and the index and password that the environment names (UV_*).",
    )


def words(text: str) -> str:
    """Return what uv says in one line, without what is inside of it (progress, passwords)."""
    lines = [line.strip() for line in _USER.sub("//", text).splitlines()]
    begin = next((i for i, line in enumerate(lines) if line.startswith("error:")), 0)
    parts = (re.sub(r"^(error|cause|hint):\s*", "", line).rstrip(":") for line in lines[begin:])
    joined = "; ".join(part for part in parts if part)
    return joined[:LONGEST]
