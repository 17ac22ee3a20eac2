"""Where a step runs.

A place starts `python -m pipelines STEP --model NAME --request JSON`; the step knows nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable


class RunningStep(Protocol):
    """A step at work."""

    def follow(self, take_line: Callable[[str, str], None]) -> int:
        """Call `take_line("stdout" | "stderr", line)` for each line as it comes.

        Return the exit code, negative for a signal.

        Raises PerennialError where the place knows better what ended the step.
        """
        ...

    def stop(self) -> None:
        """Ask the step to end, from a signal handler too; `follow` sees to it that it does."""
        ...


class Place(Protocol):
    """Where steps run."""

    def start(
        self, step: str, model: str, request: str
    ) -> contextlib.AbstractContextManager[RunningStep]:
        """Start a step; when the context ends, nothing of it is left.

        OSError or PerennialError where it cannot be started.
        """
        ...
