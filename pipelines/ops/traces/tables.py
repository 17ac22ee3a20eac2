"""Whether a Parquet or Arrow file holds what is sought: a process of its own looks into it.

What such a file unpacks to nobody knows before (see `table_program`). The process is started for
the first of them and looks into all that follow; one that a file makes crash is started again.
"""

from __future__ import annotations

import atexit
import os
import struct
from typing import TYPE_CHECKING

from pipelines.fence.frames import Torn
from pipelines.fence.guard import bare_environment
from pipelines.fence.process import Child
from pipelines.fence.program import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.ops.traces.sought import Sought

ARROW = b"ARROW1"
"""How an Arrow file begins."""
SECONDS = 900
"""How long a look into one file may take."""
_NO_LIMIT = 2**62


class TableProcess:
    """The process, and one file after another that it is asked about."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._child: Child | None = None

    def holds(self, data: bytes, sought: Sequence[Sought], most: int) -> bool | None:
        """Tell whether a Parquet or Arrow file holds any of it.

        None where more than `most` bytes (and more than it has itself) would be in memory at a
        time, where it takes longer than SECONDS, or where it is damaged.
        """
        import pyarrow as pa

        request = {
            "sought": [[sorted(s.values), sorted(s.columns), list(s.key)] for s in sought],
            "most": most,
        }
        ends = pa.py_buffer(struct.pack("=qq", 0, len(data)))
        parts = [None, ends, pa.py_buffer(data)]  # one cell that is the file, which is not copied
        file = pa.table({"file": pa.Array.from_buffers(pa.large_binary(), 1, parts)})
        try:
            answer, _ = self._child_to_ask().ask(request, {"file": file}, SECONDS)
        except (Torn, TimeoutError):
            return None
        found: bool | None = answer.get("holds")
        return found

    def _child_to_ask(self) -> Child:
        child = self._child
        if child is None or child.owner != os.getpid() or not child.fit:
            self.end()
            # Another allocator takes far more from the kernel than it is asked for.
            variables = {**bare_environment(), "ARROW_DEFAULT_MEMORY_POOL": "system"}
            child = self._child = Child(
                "pipelines.ops.traces.table_program",
                (str(os.getpid()), Limits(memory=_NO_LIMIT).model_dump_json()),
                folder="/",
                environment=variables,
                network=False,
            )
        return child

    def end(self) -> None:
        """End the process where this one has started it."""
        child, self._child = self._child, None
        if child is not None and child.owner == os.getpid():
            child.end()


_PROCESS = TableProcess()
atexit.register(_PROCESS.end)


def table_holds(data: bytes, sought: Sequence[Sought], most: int) -> bool | None:
    """Tell whether a Parquet or Arrow file holds any of it; None where it cannot be told (see
    `TableProcess.holds`).
    """
    return _PROCESS.holds(data, sought, most)
