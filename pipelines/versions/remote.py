"""Where DVC's objects lie beside its cache: what such a place must do, and the one in a folder.

All have DVC's own layout, `files/md5/ab/cdef…`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from pipelines.versions.objects import Objects, has_md5, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from pipelines.versions.shared_history import History


class Remote(Protocol):
    """The second place of DVC's objects, the one that counts."""

    @property
    def options(self) -> Mapping[str, str]:
        """What DVC's configuration says of the remote: its URL, and how to reach it."""
        ...

    @property
    def is_folder(self) -> bool:
        """Tell whether DVC itself pushes to it and pulls from it."""
        ...

    @property
    def history(self) -> History | None:
        """The history of the features that all hosts share; None where there is one host."""
        ...

    def place(self, oid: str) -> str:
        """Return where an object is, for people."""
        ...

    def make(self) -> bool:
        """Make it ready for a new repository; False, and nothing made, where it has objects."""
        ...

    def reach(self) -> None:
        """Raise OSError or Unreachable where it is away."""
        ...

    def present(self, oids: Collection[str]) -> set[str]:
        """Return those of the objects that are there, sound or not."""
        ...

    def is_sound(self, oid: str, sound: Callable[[Path], bool]) -> bool:
        """Tell whether an object is there and sound; it is read."""
        ...

    def take(
        self, oid: str, cache: Objects, sound: Callable[[Path], bool]
    ) -> Literal["taken", "missing", "changed"]:
        """Copy an object into the cache where it is sound."""
        ...

    def put(self, oids: Iterable[str], cache: Objects) -> None:
        """Copy objects from the cache."""
        ...

    def remove(self, oid: str) -> None:
        """Remove an object, where it is there."""
        ...

    def settle(self, oid: str) -> None:
        """Return when an object survives a power cut."""
        ...

    def remove_where(self, holds: Callable[[bytes], bool], keep: Collection[str]) -> set[str]:
        """Remove the objects of which `holds` is true, but none of `keep`; return their names."""
        ...

    def sweep(self) -> None:
        """Remove what killed writers left. Call it only while nobody writes."""
        ...


class FolderRemote:
    """A remote in a folder."""

    is_folder = True
    history = None

    def __init__(self, folder: Path) -> None:
        """Use the folder."""
        self._objects = Objects(folder)

    @property
    def options(self) -> Mapping[str, str]:
        """The folder's path: DVC resolves a relative one against each clone."""
        return {"url": str(self._objects.folder)}

    def place(self, oid: str) -> str:
        """Return an object's path."""
        return str(self._objects.path(oid))

    def make(self) -> bool:
        """Make the folder."""
        if (self._objects.folder / "files").is_dir():
            return False
        self._objects.folder.mkdir(exist_ok=True)
        return True

    def reach(self) -> None:
        """Raise OSError where the folder is away."""
        next(self._objects.folder.iterdir(), None)

    def present(self, oids: Collection[str]) -> set[str]:
        """Look for each file."""
        return {oid for oid in oids if self._objects.path(oid).is_file()}

    def is_sound(self, oid: str, sound: Callable[[Path], bool]) -> bool:
        """Read the file."""
        return sound(self._objects.path(oid))

    def take(
        self, oid: str, cache: Objects, sound: Callable[[Path], bool]
    ) -> Literal["taken", "missing", "changed"]:
        """Copy the file."""
        source = self._objects.path(oid)
        if not source.is_file():
            return "missing"
        return "taken" if cache.take(oid, source, sound) else "changed"

    def put(self, oids: Iterable[str], cache: Objects) -> None:
        """Copy files; DVC does it by itself where it pushes."""
        for oid in oids:
            self._objects.take(oid, cache.path(oid), partial(has_md5, oid=oid))

    def remove(self, oid: str) -> None:
        """Remove the file."""
        self._objects.path(oid).unlink(missing_ok=True)

    def settle(self, oid: str) -> None:
        """Flush the file and its folder."""
        settle(self._objects.path(oid))

    def remove_where(self, holds: Callable[[bytes], bool], keep: Collection[str]) -> set[str]:
        """Read and remove files."""
        return self._objects.remove_where(holds, keep)

    def sweep(self) -> None:
        """Remove temporary files."""
        self._objects.sweep()
