"""The place `process`: a step is a child process of the task."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perennial_airflow.places.output import CHUNK, POLL_SECONDS, Lines
from pipelines.die_with_parent import mortal_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perennial_airflow.places.place import RunningStep

STEPS = (sys.executable, "-m", "pipelines")
"""The command of every step."""
GIVE_WAY = ("nice", "-n", "5") if shutil.which("nice") else ()
"""A step goes behind what answers people: where both want the processor, the scheduler, the pages
and the model servers get three times as much of it."""


@dataclass(frozen=True)
class Process:
    """A child process in a session of its own, which dies with the process that started it.

    `command` is what runs steps; `grace_seconds` lie between SIGTERM and SIGKILL, shorter than the
    5 s after which Airflow kills the task itself.
    """

    command: tuple[str, ...] = STEPS
    grace_seconds: float = 4.0

    @contextlib.contextmanager
    def start(self, step: str, model: str, request: str) -> Iterator[RunningStep]:
        """Start the step's process; at the end of the context its whole group is gone."""
        command = [*self.command, step, "--model", model, "--request", request]
        with subprocess.Popen(
            [*GIVE_WAY, *mortal_command(signal.SIGKILL, os.getpid(), command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as child:
            running = _RunningProcess(child, self.grace_seconds)
            try:
                yield running
            finally:
                running.end()


class _RunningProcess:
    """A step's process group. Its id is the child's, because the child leads a session."""

    def __init__(self, child: subprocess.Popen[bytes], grace_seconds: float) -> None:
        self._child = child
        self._grace = grace_seconds
        self._kill_at: float | None = None

    def follow(self, take_line: Callable[[str, str], None]) -> int:
        """Pass the lines on until the process has ended and its output is read.

        A grandchild that outlives the step may hold the pipes open; so the end of the process
        counts, not that of the pipes.
        """
        with selectors.DefaultSelector() as selector:
            for name, pipe in (("stdout", self._child.stdout), ("stderr", self._child.stderr)):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, Lines(name, take_line))
            while self._turn(selector):
                self._escalate()
            for key in list(selector.get_map().values()):
                key.data.close()
        return self._child.wait()

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """Read what is there; tell whether there may be more."""
        has_ended = self._child.poll() is not None
        if not selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(POLL_SECONDS)
            return not has_ended
        ready = selector.select(0 if has_ended else POLL_SECONDS)
        for key, _ in ready:
            data = os.read(key.fd, CHUNK)
            if data:
                key.data.feed(data)
            else:
                key.data.close()
                selector.unregister(key.fileobj)
        return bool(ready) or not has_ended

    def stop(self) -> None:
        """Send SIGTERM to the group now; `follow` sends SIGKILL when the grace is over."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace
            self._signal(signal.SIGTERM)

    def _escalate(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._signal(signal.SIGKILL)

    def end(self) -> None:
        """Leave nothing: SIGTERM and, after the grace, SIGKILL to a process still at work.

        SIGKILL to what it left behind.
        """
        if self._child.poll() is None:
            self.stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(self._grace)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(
            ProcessLookupError, PermissionError
        ):  # macOS says EPERM of a group of zombies
            os.killpg(self._child.pid, number)
