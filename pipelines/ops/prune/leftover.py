"""One thing that nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Leftover(NamedTuple):
    """One thing that can go: its kind, what it is called, its bytes."""

    kind: str
    name: str
    bytes: int
    remove: Callable[[], bool]
    """Removes it and tells whether it went: what somebody has begun to use since stays."""
