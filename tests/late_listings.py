"""A store whose listings of entries come late, as those of some buckets do."""

from __future__ import annotations

from pipelines.store.memory import MemoryStore


class LateListings(MemoryStore):
    """A store in memory that lists the entries of a moment: those that came after it are there."""

    def __init__(self) -> None:
        super().__init__()
        self._until: set[str] | None = None

    def stop(self) -> None:
        """Let no listing show what is written from now on."""
        self._until = set(self.entries)

    def go_on(self) -> None:
        """Let listings show all that is there."""
        self._until = None

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below the folder, sorted, as far as a listing has them."""
        return [k for k in super().keys(prefix) if self._until is None or k in self._until]
