"""What `prune` may take away: one value for each thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Leftover(NamedTuple):
    """One thing that can go.

    Of which kind, what it is called, its bytes, its file where it is one, else how it is removed.
    """

    kind: str
    name: str
    bytes: int = 0
    path: Path | None = None
    older_than: float = 0
    """The file goes only if its time of change is still before this (seconds since 1970).

    Somebody may have begun to use it.
    """
    remove: Callable[[], object] | None = None
