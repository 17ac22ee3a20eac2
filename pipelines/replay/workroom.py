"""The folder in which a model's past is lived through, and the ports of its own below it.

What is computed there is kept under the hash of all that it follows from, so a replay that was
killed goes on where it was, and ten policies share each training. The real store is only read.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.context import Context
from pipelines.errors import Busy, RequestError
from pipelines.ledger import MemoryLedger
from pipelines.locks import hold, share
from pipelines.ports import Ports
from pipelines.private_files import make_folder
from pipelines.rebuilding.inputs import InputStore
from pipelines.recipes import perennial_hash
from pipelines.refs import digest, sha256
from pipelines.registry.memory import MemoryRegistry
from pipelines.store.opening import open_store
from pipelines.versions.memory import MemoryVersions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pipelines.settings import Settings
    from pipelines.spec import Spec

FOLDER = "replays"
_LOCK = "at-work.lock"
_NOT_LEARNT = ("drift", "retrain", "deploy", "prove", "resources", "owner", "tags", "description")
"""What of a spec changes no training."""


@dataclass(frozen=True)
class Workroom:
    """Where one model is replayed; a process opens its own context from it."""

    spec: Spec
    settings: Settings

    @property
    def root(self) -> Path:
        """The folder below which everything is written."""
        return self.settings.state / FOLDER / self.spec.name

    def prepare(self) -> None:
        """Make the folder, which holds copies of rows and is for its owner alone (mode 700)."""
        make_folder(self.root)
        for name in ("environments", "cache"):
            # What was installed and downloaded is used, and need not be fetched a second time.
            shared, own = self.settings.state / name, self.root / name
            shared.mkdir(parents=True, exist_ok=True)
            if not own.is_symlink():
                own.symlink_to(shared, target_is_directory=True)
        (self.root / _LOCK).touch(mode=0o600)  # by which `unused_replays` knows when it was used

    def hold(self) -> AbstractContextManager[int]:
        """Hold the folder, in which one replay is at work at a time. Raises Busy."""
        return hold(self.root / _LOCK, self._complaint, seconds=0)

    def share(self) -> AbstractContextManager[None]:
        """Hold the folder together with other parts of one replay. Raises Busy."""
        return share(self.root / _LOCK, self._complaint)

    @property
    def _complaint(self) -> str:
        return f"{self.spec.name} is being replayed already."

    def forget(self) -> None:
        """Remove all that earlier replays have kept."""
        shutil.rmtree(self.root / "store", ignore_errors=True)

    def open(self) -> Context:
        """Return a context whose store lies in the folder and reads the real one.

        The registry, the ledger and the features are in memory, and empty. What nobody would look
        at is not made.
        """
        settings = self.settings.replace(
            state=self.root,
            store=str(self.root / "store"),
            comparison_seconds=0,
            plots=False,
            evidently=False,
            threads=1,
        )
        store = InputStore(self.root / "store", open_store(self.settings.store, self.settings))
        ports = Ports(store, MemoryVersions(), MemoryRegistry(), MemoryLedger())
        log = logging.getLogger("perennial.replay")
        return Context(self.spec, settings, ports, log)


def forget_replays(settings: Settings) -> None:
    """Remove what the replays of all models have kept, which are copies of rows among others.

    Raises Busy where one is at work.
    """
    root = settings.state / FOLDER
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        with hold(folder / _LOCK, f"{folder.name} is being replayed.", seconds=0):
            shutil.rmtree(folder / "store", ignore_errors=True)


def unused_replays(settings: Settings, limit: float) -> Iterator[Path]:
    """Yield the folders of models whose replays nobody has used since `limit` (seconds since 1970),
    and in which something is kept.
    """
    root = settings.state / FOLDER
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not folder.is_symlink() and _kept(folder) and _used_at(folder) < limit:
            yield folder


def remove_replays(folder: Path, limit: float) -> bool:
    """Remove what a model's replays have kept, unless somebody has used it since; tell whether.

    The lock's file stays: somebody may be waiting for it.
    """
    try:
        with hold(folder / _LOCK, f"{folder.name} is being replayed.", seconds=0):
            if _used_at(folder) >= limit:
                return False
            for path in _kept(folder):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    except Busy:
        return False
    return True


def _kept(folder: Path) -> list[Path]:
    """Return what lies in a model's folder beside the lock's file."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path.name != _LOCK)


def _used_at(folder: Path) -> float:
    """Return when a replay last began, or kept something (seconds since 1970).

    Links lead to what all of the state shares, and do not count.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return max((path.stat().st_mtime for path in files), default=folder.stat().st_mtime)


def recipe_key(context: Context) -> str:
    """Return the hash of all that a training follows from beside its rows and its moment: the
    model's files, its spec, the packages, and Perennial's own code.
    """
    said = context.spec.model_dump(mode="json", exclude=set(_NOT_LEARNT))
    return digest(_files(context), said, context.lock, perennial_hash())


def _files(context: Context) -> dict[str, str]:
    found = [*sorted(context.folder.glob("*.py")), context.folder / "schema.yaml"]
    found += [context.folder / c.onnx for c in context.spec.candidates if c.onnx]
    found += list(context.suites.values())
    files = {path.name: sha256(path.read_bytes()) for path in found if path.is_file()}
    if context.environment is not None:
        files["environment"] = context.environment.sha256
    return files


def refuse_what_has_no_batches(spec: Spec) -> None:
    """Raise RequestError where a model's past cannot be lived through batch by batch."""
    if spec.is_snapshot:
        raise RequestError(
            f"The data of {spec.name} have no time, so that there is no past to live through.",
            remedy="a replay needs `event_time`, `batch` and `source.first` in model.yaml.",
        )
    if not spec.has_target:
        raise RequestError(
            f"{spec.name} has no target, so that nobody can say what a policy is worth.",
            remedy="a replay scores what serves on outcomes that are known; name a `target`.",
        )
