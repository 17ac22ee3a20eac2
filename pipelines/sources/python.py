"""The `python` source: a function in the model's folder, which runs in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import user_code
from pipelines.settings import Settings
from pipelines.sources.port import Raw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.intervals import Interval
    from pipelines.spec.sources import PythonSource

DEFAULT_TIMEOUT: float = Settings.model_fields["user_code_timeout_seconds"].default


class Function:
    """Calls `function(start, end)` of the model's source.py; `function()` for a snapshot."""

    def __init__(
        self,
        source: PythonSource,
        folder: Path,
        timeout: float = DEFAULT_TIMEOUT,
        *,
        most: int | None = None,
        paths: Sequence[str] = (),
    ) -> None:
        """Load the function. Raises SpecError where the file or the function is missing or broken.

        Loading it, and each call of it, may take `timeout` seconds; its tables may have `most`
        bytes. It finds modules in `paths` too.
        """
        self._source = source
        self._path = folder / "source.py"
        self._timeout = timeout
        self._most = most
        self._paths = paths
        user_code.load(self._path, source.function, timeout, paths=paths)

    def read(self, interval: Interval) -> Raw:
        """Return the function's tables.

        What pandas or Arrow cannot parse becomes a problem; OSError means unreachable.
        """
        source = self._source
        names = [source.main, *source.side]
        tables, problem = user_code.call_read(
            self._path,
            source.function,
            interval,
            names,
            self._timeout,
            most=self._most,
            paths=self._paths,
        )
        return Raw(problem=problem) if problem else Raw(tables)
