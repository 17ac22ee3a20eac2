"""Feature versions in memory, for tests: the same promises as those in git and DVC."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import Corrupted, RequestError
from pipelines.refs import FeaturesVersion, digest, sha256
from pipelines.versions.port import (
    FeatureFile,
    check_changes,
    check_names,
    check_version,
    version_hash,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.versions.port import Content


class MemoryVersions:
    """All commits in a list, with a scratch folder for `fetch`: a new one unless one is named."""

    def __init__(self, scratch: Path | None = None) -> None:
        """Start empty. A folder that is named must be there, and stays its maker's to remove."""
        self.blobs: dict[str, bytes] = {}
        self._commits: list[tuple[str, str, dict[str, FeatureFile]]] = []
        self._lock = threading.RLock()
        if scratch is None:
            scratch = Path(tempfile.mkdtemp(prefix="perennial-memory-versions-"))
            weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self._scratch = scratch

    def files(self, model: str, revision: str | None = None) -> dict[str, FeatureFile]:
        """Return the files of a revision by batch name."""
        check_names(model, ())
        with self._lock:
            revisions = [r for r, _, _ in self._commits]
            if revision is not None and revision not in revisions:
                raise Corrupted(f"The features have no revision {revision!r}.")
            until = len(revisions) if revision is None else revisions.index(revision) + 1
            history = [files for _, m, files in self._commits[:until] if m == model]
        return dict(history[-1]) if history else {}

    def commit(
        self, model: str, changes: Mapping[str, tuple[FeatureFile, Content]], message: str
    ) -> FeaturesVersion:
        """Add or replace files; nothing changed returns the newest version."""
        check_changes(model, changes)
        with self._lock:
            files_before = self.files(model)
            files = {**files_before, **{name: file for name, (file, _) in changes.items()}}
            if not files:
                raise RequestError(f"There are no features of {model} to commit.")
            if files != files_before:
                for file, data in changes.values():
                    self.blobs[file.sha256] = data if isinstance(data, bytes) else data.read_bytes()
                last = self._commits[-1][0] if self._commits else ""
                revision = digest(
                    last, model, version_hash(files), sha256(message.encode(errors="replace"))
                )[:40]
                self._commits.append((revision, model, files))
            newest = [r for r, m, _ in self._commits if m == model][-1]
            return FeaturesVersion(revision=newest, sha256=version_hash(files))

    def fetch(self, model: str, version: FeaturesVersion, names: list[str]) -> list[Path]:
        """Return scratch files, verified."""
        check_names(model, names)
        files = self.files(model, version.revision)
        check_version(model, version, files, names)
        return [self._write(model, name, files[name].sha256) for name in names]

    def drop(self, model: str, holds: Callable[[bytes], bool]) -> int:
        """Remove the contents of which `holds` is true, but none of the model's newest revision and
        none of another model's.
        """
        check_names(model, ())
        with self._lock:
            stays = [self.files(model), *(files for _, m, files in self._commits if m != model)]
            keep = {file.sha256 for files in stays for file in files.values()}
            gone = [name for name, data in self.blobs.items() if name not in keep and holds(data)]
            for name in gone:
                del self.blobs[name]
                (self._scratch / name).unlink(missing_ok=True)
            return len(gone)

    def find_damage(self, model: str, revision: str) -> list[str]:
        """Return the contents that are missing or changed, by their hash."""
        return [
            f.sha256
            for f in self.files(model, revision).values()
            if sha256(self.blobs.get(f.sha256, b"")) != f.sha256
        ]

    def _write(self, model: str, name: str, expected: str) -> Path:
        data = self.blobs.get(expected)
        if data is None or sha256(data) != expected:
            raise Corrupted(f"The object {expected} ({model}/{name}) was changed or is missing.")
        target = self._scratch / expected
        target.write_bytes(data)
        return target
