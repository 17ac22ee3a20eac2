"""The parent's side: one child for each thread that has user code run.

A child that takes too long is ended, with all that it started.

A child serves many calls, since it costs a second to start and to import the engine. One that
ended, or that was ended, is replaced at the next call.
"""

from __future__ import annotations

import atexit
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

from pipelines import errors
from pipelines.die_with_parent import mortal_command
from pipelines.errors import PerennialError, SpecError, TryAgain, Unreachable
from pipelines.intervals import SNAPSHOT
from pipelines.user_code.frames import LAST, PROBLEM, Torn, receive, send

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from pipelines.intervals import Interval

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = "PERENNIAL_USER_CODE_TIMEOUT_SECONDS"
LAST_LINES = 5
GRACE_SECONDS = 2
"""How long to wait for the exit code and the last words of a child that has ended.

It has closed its pipe, or was killed.
"""


def call_build(
    path: Path,
    tables: Mapping[str, pa.Table],
    subject: str,
    timeout: float,
    derived: tuple[str, str] | None = None,
    paths: Sequence[str] = (),
) -> pa.Table:
    """Return what a model's `build` makes of the tables.

    `derived` is the name of a further column, and the judged SQL that computes it of the others.
    `paths` are the folders of the model's environment, behind all others on `sys.path`.

    Raises SpecError where the file or the function is missing, fails, ends its process, or takes
    longer than `timeout` seconds.
    """
    request = {
        "what": "build",
        "function": "build",
        "purpose": "`build(tables)` returns the feature table",
        "derived": derived,
    }
    return _call(path, request, subject, timeout, tables, paths=paths)[1]["built"]


def call_read(
    path: Path,
    function: str,
    interval: Interval,
    expected: list[str],
    timeout: float,
    *,
    most: int | None = None,
    paths: Sequence[str] = (),
) -> tuple[dict[str, pa.Table], str]:
    """Return the tables of a source's function, or in words why what it read is no data.

    It is called with the interval's ends, and without any for the snapshot.

    `expected` names the tables, the main one first; together they may have `most` bytes.

    Raises SpecError as `call_build` does, and Unreachable where it cannot reach its source or takes
    longer than `timeout`.
    """
    ends = [] if interval == SNAPSHOT else [interval.start.isoformat(), interval.end.isoformat()]
    request = {
        "what": "read",
        **_source(function),
        "ends": ends,
        "expected": expected,
        "most": most,
    }
    header, tables = _call(path, request, _show_path(path), timeout, paths=paths)
    return tables, str(header.get(PROBLEM, ""))


def load(path: Path, function: str, timeout: float, *, paths: Sequence[str] = ()) -> None:
    """Load a source's function, so that a broken file is known before anything is read.

    Raises SpecError.
    """
    _call(path, {"what": "load", **_source(function)}, _show_path(path), timeout, paths=paths)


def _source(function: str) -> dict[str, str]:
    return {
        "function": function,
        "purpose": f"`{function}(start, end)` returns the rows of an interval (`{function}()` all"
        " rows, where the data have no time)",
    }


def _show_path(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.parent.name}/{path.name}"


def _call(
    path: Path,
    request: dict[str, Any],
    subject: str,
    timeout: float,
    tables: Mapping[str, pa.Table] | None = None,
    *,
    paths: Sequence[str] = (),
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Return the child's answer. Raises the error that it names, or says how it ended."""
    child = _own.child(tuple(paths))
    full_request = {
        **request,
        "path": str(path),
        "subject": subject,
        "sys_path": [*sys.path, *(entry for entry in paths if entry not in sys.path)],
        "environ": dict(os.environ),
    }
    try:
        answer = child.ask(full_request, tables or {}, timeout)
    except TimeoutError as error:
        kind = Unreachable if request["what"] == "read" else SpecError
        raise kind(
            f"{subject}: {request['function']} took longer than {timeout:g} s and was"
            f" ended.{child.last_words()}",
            remedy=(
                "mend it, or give it more time: `timeout` in model.yaml (of `features` or"
                f" `source`), or {TIMEOUT}."
            ),
        ) from error
    except Torn as error:
        raise _error_of_end(subject, request["function"], child) from error
    header, results = answer
    if "error" in header:
        error_class = getattr(errors, str(header["error"]), SpecError)
        place = tuple(map(str, header.get("at", ())))
        raise error_class(str(header["message"]), remedy=str(header["remedy"]), at=place)
    return header, results


def _error_of_end(subject: str, function: str, child: Child) -> PerennialError:
    """Return the error for a child that ended without an answer."""
    code = child.code
    if code is not None and -code in {signal.SIGKILL, signal.SIGTERM}:
        how = f"was killed by {signal.Signals(-code).name}: out of memory, or ended by hand"
        return TryAgain(
            f"{subject}: the process of {function} {how}.{child.last_words()}",
            remedy="give it more memory, or try again.",
        )
    if code is None:
        how = "closed what it answers through"
    else:
        how = f"was ended by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
    return SpecError(
        f"{subject}: the process of {function} {how} before there was a"
        f" result.{child.last_words()}",
        remedy=(
            "the code must return its table, and neither end its process nor close what it did not"
            " open."
        ),
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Child:
    """A child process, the leader of a session of its own.

    Killed by the kernel when the thread that started it ends.
    """

    def __init__(self) -> None:
        """Start it."""
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
            "pipelines.user_code.child",
            str(theirs),
            str(theirs_too),
        ]
        path = os.environ.get("PYTHONPATH")
        self._process = subprocess.Popen(
            mortal_command(signal.SIGKILL, os.getpid(), command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs, theirs_too),
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), *([path] if path else [])]),
            },
        )
        os.close(theirs)
        os.close(theirs_too)
        self._requests, self._answers = os.fdopen(requests, "wb"), os.fdopen(answers, "rb")
        self._pump = threading.Thread(target=self._pass_on, name="user code's output", daemon=True)
        self._pump.start()

    @property
    def fit(self) -> bool:
        """Whether it can be asked."""
        return not self.has_ended and self._process.poll() is None

    def ask(
        self, request: Mapping[str, Any], tables: Mapping[str, pa.Table], timeout: float
    ) -> tuple[dict[str, Any], dict[str, pa.Table]]:
        """Return the child's answer.

        Raises TimeoutError where it takes too long, Torn where it ends without an answer; the child
        is ended then.
        """
        self._calls += 1
        self._last_lines.clear()
        replies: list[tuple[dict[str, Any], dict[str, pa.Table]]] = []
        # In a thread, because neither Arrow's reading nor a full pipe knows of a time-out; a killed
        # child ends both.

        exchange = threading.Thread(
            target=self._exchange,
            args=(request, tables, replies),
            name="user code's call",
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
        """Pass on what the user's code prints, and remember its last lines."""
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


class _Own(threading.local):
    """The calling thread's child."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._paths: tuple[str, ...] = ()

    def child(self, paths: tuple[str, ...]) -> Child:
        """Return a child that can be asked.

        It has seen no other environment: what it imported from one it would keep.
        """
        if self._child is not None and not (self._child.fit and self._paths == paths):
            _end(self._child)
            self._child = None
        if self._child is None:
            self._child, self._paths = Child(), paths
            _children.add(self._child)
        return self._child


_children: set[Child] = set()
_own = _Own()


def _end(child: Child) -> None:
    _children.discard(child)
    if not child.has_ended and child.owner == os.getpid():
        # a fork of this process must not end what is not its own
        child.end()


@atexit.register
def _end_all() -> None:
    for child in list(_children):
        _end(child)
