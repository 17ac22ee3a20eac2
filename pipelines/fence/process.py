"""A process that runs a model's own code, seen from the side of the one who asks it.

It leads a session of its own, is killed by the kernel when the thread that started it ends, and is
ended with all that it started. It gets its questions as frames through one pipe and answers through
another; what it prints is passed on to stderr, and its last lines are remembered.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pipelines.die_with_parent import mortal_command
from pipelines.fence.frames import LAST, Torn, receive, send
from pipelines.fence.guard import without_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    Answer = tuple[dict[str, Any], dict[str, pa.Table]]

ROOT = Path(__file__).resolve().parents[2]
LAST_LINES = 5
GRACE_SECONDS = 2
"""How long to wait for the exit code and the last words of a child that has ended.

It has closed its pipe, or was killed.
"""


class Child:
    """A child process, the leader of a session of its own.

    Killed by the kernel when the thread that started it ends.
    """

    def __init__(
        self,
        module: str,
        arguments: tuple[str, ...] = (),
        *,
        folder: str | None = None,
        environment: Mapping[str, str] | None = None,
        network: bool = True,
    ) -> None:
        """Start the MODULE with the arguments REQUESTS ANSWERS ARGUMENTS… (see `begin`).

        `folder`: where it works (default: this one).

        `environment`: its variables; default those of this process. `network`: whether it keeps
        the machine's network.
        """
        self.owner = os.getpid()
        self.code: int | None = None
        self.has_ended = False
        self._calls = 0
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        theirs, requests = os.pipe()
        answers, theirs_too = os.pipe()
        command = [
            sys.executable,
            "-u",
            "-P",
            "-m",
            "pipelines.fence.begin",
            module,
            str(theirs),
            str(theirs_too),
            *arguments,
        ]
        if not network:
            command = without_network(self.owner, command)
        variables = dict(os.environ if environment is None else environment)
        path = variables.get("PYTHONPATH", "").split(os.pathsep)
        folders = [str(ROOT), *(os.path.abspath(p) for p in path if p)]  # noqa: PTH100 -- no links
        self._process = subprocess.Popen(
            mortal_command(signal.SIGKILL, self.owner, command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs, theirs_too),
            start_new_session=True,
            cwd=folder,
            env={**variables, "PYTHONPATH": os.pathsep.join(folders)},
        )
        os.close(theirs)
        os.close(theirs_too)
        self._requests, self._answers = os.fdopen(requests, "wb"), os.fdopen(answers, "rb")
        self._pump = threading.Thread(target=self._pass_on, name="own code's output", daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def fit(self) -> bool:
        """Whether it can be asked."""
        return not self.has_ended and self._process.poll() is None

    def ask(
        self, request: Mapping[str, Any], tables: Mapping[str, pa.Table], timeout: float
    ) -> Answer:
        """Return the child's answer.

        Raises TimeoutError where it takes too long, Torn where it ends without an answer; the child
        is ended then.
        """
        self._calls += 1
        self._last_lines.clear()
        replies: list[Answer] = []
        # In a thread, because neither Arrow's reading nor a full pipe knows of a time-out; a killed
        # child ends both.

        exchange = threading.Thread(
            target=self._exchange,
            args=(request, tables, replies),
            name="own code's call",
            daemon=True,
        )
        exchange.start()
        late = False
        try:
            exchange.join(timeout)
            late = exchange.is_alive()
        finally:
            if not replies:
                self.end(exchange)
        if replies:
            if replies[0][0].get(LAST):
                self.end(exchange)
            return replies[0]
        if late:
            raise TimeoutError
        raise Torn

    def _exchange(
        self, request: Mapping[str, Any], tables: Mapping[str, pa.Table], replies: list[Any]
    ) -> None:
        with contextlib.suppress(Torn, OSError, ValueError):
            # the child has ended, or was: `ask` says how
            send(self._requests, {**request, "call": self._calls}, tables)
            answer = receive(self._answers)
            if answer[0].get("call") == self._calls:
                replies.append(answer)

    def _pass_on(self) -> None:
        """Pass on what the code prints, and remember its last lines."""
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 -- it was asked for
        with stream, contextlib.suppress(OSError, ValueError):  # either end was closed
            for line in iter(lambda: stream.readline(65_536), b""):
                text = line.decode(errors="replace").rstrip("\r\n")
                self._last_lines.append(text)
                sys.stderr.write(text + "\n")

    def last_words(self) -> str:
        """Return what it printed last, for a message."""
        self._pump.join(GRACE_SECONDS)
        words = " | ".join(line.strip()[:200] for line in self._last_lines if line.strip())
        return f" Its last words: {words}." if words else ""

    def end_in_words(self) -> str:
        """Return in words how it ended."""
        if self.code is None:
            return "closed what it answers through"
        if self.was_killed:
            return f"was killed by {_signal_name(-self.code)}"
        if self.code < 0:
            return f"was ended by {_signal_name(-self.code)}"
        return f"ended with exit code {self.code}"

    @property
    def was_killed(self) -> bool:
        """Whether somebody else ended it: the kernel, because memory was short, or a person."""
        return self.code is not None and -self.code in {signal.SIGKILL, signal.SIGTERM}

    def end(self, exchange: threading.Thread | None = None) -> None:
        """End it with everything that it started.

        `code` is its exit code where it ended by itself.
        """
        if exchange is not None and not exchange.is_alive():
            # it closed its pipe, as a process does that is ending
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
        self.has_ended, self.code = True, self._process.poll()
        descendants = _started_by(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # all gone; macOS says EPERM of a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in descendants:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()
        if exchange is not None:
            exchange.join(GRACE_SECONDS)
        if exchange is None or not exchange.is_alive():
            # else a process that left the group still holds the pipe
            for stream in (self._requests, self._answers):
                with contextlib.suppress(OSError):
                    stream.close()


def _started_by(pid: int) -> list[psutil.Process]:
    """Return the processes below a child, those too that left its group."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
