"""In which line of a model's code an operation of Ibis is made."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def line_that_made(operation: str, build: Any, tables: Any, file: str) -> int | None:
    """Return the line of a file in which an operation of this name is made; None if none is seen.

    `build` is called once more for it, and Ibis is watched while it makes its operations.
    """
    lines: list[int] = []
    with _watch_operations(operation, file, lines):
        build(tables)
    return lines[0] if lines else None


@contextmanager
def _watch_operations(operation: str, file: str, lines: list[int]) -> Iterator[None]:
    """Note the lines of a file from which operations of a name are made."""
    import ibis.expr.operations as ops

    before = ops.Node.__dict__.get("__init__")
    original = ops.Node.__init__

    def note(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if type(self).__name__ == operation:
            stack = traceback.extract_stack()
            lines.extend(f.lineno or 0 for f in stack if f.filename == file)

    ops.Node.__init__ = note
    try:
        yield
    finally:
        if before is None:
            del ops.Node.__init__
        else:
            ops.Node.__init__ = before
