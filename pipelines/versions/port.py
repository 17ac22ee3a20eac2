"""What the Versions port promises: feature tables as git and DVC hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pipelines.refs import Sha256, Value, canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class FeatureFile(Value):
    """One Parquet file of features: the batch's name, the key of its inputs, and its content."""

    key: Sha256
    sha256: Sha256
    rows: int


class FeaturesVersion(Value):
    """A features version: a git revision, and the hash over all its files."""

    revision: str
    sha256: Sha256


class Versions(Protocol):
    """Feature versions; one writer at a time, others wait."""

    def files(self, model: str, revision: str | None = None) -> dict[str, FeatureFile]:
        """Return the files of a revision (default: the newest) by batch name; empty before the first commit."""
        ...

    def commit(self, model: str, changed: Mapping[str, tuple[FeatureFile, bytes]], message: str) -> FeaturesVersion:
        """Add or replace files, push them to the remote, then commit the pointer; nothing changed returns the newest version.

        Raises Busy when another writer holds the lock too long, Unreachable or StorageFull when the remote does not take
        the objects (then no pointer reaches git).
        """
        ...

    def fetch(self, model: str, version: FeaturesVersion, names: list[str]) -> list[Path]:
        """Return local, verified files of a version, in the order of `names`.

        Raises Corrupted naming the object that was changed, in the cache and in the remote alike.
        """
        ...


def version_hash(files: Mapping[str, FeatureFile]) -> str:
    """Return the hash over all files of a version: SHA-256 of the canonical JSON of {name: file}."""
    return sha256(canonical({name: f.model_dump(mode="json") for name, f in sorted(files.items())}))
