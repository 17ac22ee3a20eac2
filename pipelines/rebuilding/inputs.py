"""The store of a rebuild: what was recorded can be read, what was computed cannot.

Results of steps are entries of the store. Were they seen, a rebuild would find the version's own
results and be equal without computing anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.store.local import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.refs import Ref
    from pipelines.store.port import Store

INPUTS = ("batches", "snapshots", "environments")
"""The folders of entries that a build starts from: raw rows, and what packages were resolved to."""


class InputStore(LocalStore):
    """A store of its own, which also reads the objects and the raw batches of another one.

    Nothing is ever written to the other one.
    """

    def __init__(self, root: Path, recorded: Store) -> None:
        """Write into `root`, read also from `recorded`."""
        super().__init__(root)
        self._recorded = recorded

    def get(self, ref: Ref) -> bytes:
        """Return the verified bytes of an object, its own or a recorded one."""
        return super().get(ref) if self._is_own(ref) else self._recorded.get(ref)

    def path(self, ref: Ref) -> Path:
        """Return a local file with the verified bytes."""
        return super().path(ref) if self._is_own(ref) else self._recorded.path(ref)

    def read(self, key: str) -> bytes | None:
        """Return its own entry, or an input's."""
        own = super().read(key)
        return self._recorded.read(key) if own is None and _is_input(key) else own

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a folder: its own, and those of inputs."""
        recorded = self._recorded.keys(prefix) if _is_input(prefix) else []
        return sorted({*super().keys(prefix), *recorded})

    def _is_own(self, ref: Ref) -> bool:
        return (self.root / ref.uri).is_file()


def _is_input(key: str) -> bool:
    return key.split("/", maxsplit=1)[0] in INPUTS
