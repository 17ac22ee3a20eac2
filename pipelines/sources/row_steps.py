"""What is done to each part of a table, with the errors that the whole table would give.

A whole table goes through one step after another, and the first step that fails says so. Of parts
the first ones fail first, whatever their step. So after a failure the rest is still looked at, by
the steps before it: the earliest step that fails anywhere is the one whose error is raised, at the
first row that it fails on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    Step = Callable[[pa.Table, int], pa.Table]
    """What makes a part from a part and the number of rows before it. Raises BadData."""


def through(
    parts: Iterable[tuple[int, pa.Table]], steps: Sequence[Step]
) -> Iterator[tuple[int, pa.Table]]:
    """Yield each part as the steps leave it, until one fails.

    What the parts themselves raise goes before any step's error.
    """
    failure: BadData | None = None
    until = len(steps)
    for before, part in parts:
        table = part
        for number, step in enumerate(steps[:until]):
            try:
                table = step(table, before)
            except BadData as error:
                failure, until = error, number
                break
        if failure is None:
            yield before, table
    if failure is not None:
        raise failure


def exhaust(parts: Iterable[object]) -> None:
    """Go through all parts, for what they raise."""
    for _ in parts:
        pass
