"""What the Versions port promises: feature tables as git and DVC hold them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import TypeAdapter, ValidationError

from pipelines.errors import Corrupted, RequestError
from pipelines.refs import FeaturesVersion, Name, Sha256, Value, canonical, sha256, sha256_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,99}")
_NAME: TypeAdapter[str] = TypeAdapter(Name)


Content = bytes | Path
"""What a file of features holds: its bytes, or a file with them, which stays as it is."""


class FeatureFile(Value):
    """One Parquet file of features: the batch's name, the key of its inputs, and its content."""

    key: Sha256
    sha256: Sha256
    rows: int


class Versions(Protocol):
    """Feature versions; one writer at a time, others wait."""

    def files(self, model: str, revision: str | None = None) -> dict[str, FeatureFile]:
        """Return the files of a revision (default: the newest) by batch name.

        Empty before the first commit.
        """
        ...

    def commit(
        self, model: str, changes: Mapping[str, tuple[FeatureFile, Content]], message: str
    ) -> FeaturesVersion:
        """Add or replace files, push them to the remote, then commit the pointer.

        Nothing changed returns the newest version.

        Raises Busy when another writer holds the lock too long, Unreachable or StorageFull when the
        remote does not take the objects (then no pointer reaches git).
        """
        ...

    def fetch(self, model: str, version: FeaturesVersion, names: list[str]) -> list[Path]:
        """Return local, verified files of a version, in the order of `names`.

        Raises Corrupted naming the object that was changed, in the cache and in the remote alike.
        """
        ...

    def drop(self, model: str, holds: Callable[[bytes], bool]) -> int:
        """Remove every stored file of which `holds` is true, of all revisions; return how many.

        What the model's newest revision has stays, and what any revision of another model has. A
        revision that had such a file stays, too, with its keys and hashes, but the file cannot be
        fetched any more.
        """
        ...

    def find_damage(self, model: str, revision: str) -> list[str]:
        """Return the paths of a revision's objects that are missing from the remote or changed.

        Each object is read.
        """
        ...


def version_hash(files: Mapping[str, FeatureFile]) -> str:
    """Return the hash over all files of a version.

    SHA-256 of the canonical JSON of {name: file}.
    """
    return sha256(canonical({name: f.model_dump(mode="json") for name, f in sorted(files.items())}))


def check_names(model: str, names: Iterable[str]) -> None:
    """Raise RequestError unless the model's and all batches' names are fit for paths."""
    try:
        _NAME.validate_python(model)
    except ValidationError as error:
        raise RequestError(f"{model!r} is no model's name.") from error
    wrong = [n for n in names if not _BATCH.fullmatch(n)]
    if wrong:
        raise RequestError(
            f"{wrong[0]!r} is no batch's name.",
            remedy="use up to 100 letters, digits and _ . : + -",
        )


def check_changes(model: str, changes: Mapping[str, tuple[FeatureFile, Content]]) -> None:
    """Raise RequestError unless the names are fit and the contents have their SHA-256."""
    check_names(model, changes)
    for name, (file, data) in changes.items():
        if (sha256(data) if isinstance(data, bytes) else sha256_of_file(data)) != file.sha256:
            raise RequestError(
                f"The features {model}/{name} do not have the SHA-256 {file.sha256} that was given"
                " with them."
            )


def check_version(
    model: str, version: FeaturesVersion, files: Mapping[str, FeatureFile], names: Iterable[str]
) -> None:
    """Raise Corrupted unless the files are the version's.

    Raise RequestError where one of the names is not among them.
    """
    if version_hash(files) != version.sha256:
        message = (
            f"The features of {model} at {version.revision} have the hash {version_hash(files)},"
            f" not {version.sha256}."
        )
        raise Corrupted(message, remedy="restore the features' git repository from a backup.")
    unknown = [n for n in names if n not in files]
    if unknown:
        raise RequestError(
            f"The features of {model} at {version.revision} have no batch {unknown[0]!r}."
        )
