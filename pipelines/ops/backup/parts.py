"""What a system's state consists of beside its databases, in the order in which it can be copied
while everything runs.

The databases come first: whatever they refer to is in the folders already. In the store, segments
come before entries and entries before objects: an entry takes the place of the segments that it
names, and objects are there before their entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipelines.store.local import folder_of
from pipelines.store.opening import open_store
from pipelines.store.port import KEYS, OBJECTS, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings

REPOSITORY = "versions/repo"
SIGNING_KEYS = ("signing_key", "signing_key.next")
"""Whoever holds a backup must not be able to sign: a restored system gets a new key."""


class Part(NamedTuple):
    """A folder of the state: its name in a backup, and where it is."""

    name: str
    folder: Path

    @property
    def grows(self) -> bool:
        """Tell whether its files grow at their end, line by line."""
        return self.name == f"store/{SEGMENTS}"


def roots(settings: Settings) -> dict[str, Path]:
    """Return the folders that are restored each as a whole, by their names in a backup.

    The store and the features are among them where they are in folders.
    """
    folders = {
        "secrets": settings.state / "secrets",
        "trust": settings.trust,
        "hand": settings.state / "hand",
        "artifacts": settings.mlflow_artifacts,
    }
    store = folder_of(open_store(settings.store, settings))
    return folders if store is None else {**folders, "versions": settings.versions, "store": store}


def unfinished_mark(settings: Settings) -> Path:
    """Return the file that marks a restore that has begun to put things in place.

    It is there until all are, and names the backup.
    """
    return settings.state / "restore.unfinished"


def parts(settings: Settings) -> list[Part]:
    """Return the folders in the order in which they are copied.

    Of a store in a bucket these are few: backup/bucket.py has the rest.
    """
    folders = roots(settings)
    plain = [Part(name, folders[name]) for name in ("secrets", "trust", "hand", "artifacts")]
    if "store" not in folders:
        return plain
    features = [Part(f"versions/{name}", folders["versions"] / name) for name in ("repo", "remote")]
    return [
        *plain,
        *features,
        *(Part(f"store/{name}", folders["store"] / name) for name in (SEGMENTS, KEYS, OBJECTS)),
    ]


def contents(part: Part) -> Iterator[Path]:
    """Yield the part's files and empty folders, sorted folder by folder.

    Left out: locks, half-written files, the key that signs bundles, which no copy may hold, and of
    the features' repository what DVC makes again from its remote.
    """
    if part.folder.is_dir():
        yield from _below(part, part.folder)


def _below(part: Part, folder: Path) -> Iterator[Path]:
    paths = [p for p in sorted(folder.iterdir()) if not _is_left_out(part, p)]
    if not paths and folder != part.folder:
        yield folder
    for path in paths:
        if path.is_dir():
            yield from _below(part, path)
        elif path.is_file():
            yield path


def _is_left_out(part: Part, path: Path) -> bool:
    if (
        path.is_symlink()
        or path.name.endswith(".lock")
        or (path.name.startswith(".") and path.name.endswith(".tmp"))
    ):
        return True
    if part.name == "secrets" and path.name in SIGNING_KEYS:
        return True
    if part.name != REPOSITORY:
        return False
    place = path.relative_to(part.folder).parts
    return place[:2] in {(".dvc", "cache"), (".dvc", "tmp")} or (
        len(place) == 2 and place[0] == "features" and path.is_dir()  # noqa: PLR2004
    )
