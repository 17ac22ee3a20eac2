"""Hands messages to a service, through Apprise in a process of its own.

So a service that hangs is left in time, whatever Apprise or a library below it waits for, and what
these print ends there.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.die_with_parent import mortal_command

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pipelines.alerts.routes import Route
    from pipelines.alerts.texts import Message

START_SECONDS = 60
"""How long the process may take to load Apprise, on a busy machine too."""

_ROOT = str(Path(__file__).resolve().parents[2])
_CHUNK = 65_536

_UNKNOWN = "Apprise knows no such address; see its list of services, and docs/alerts.md"
_ENDED = "the process that sends ended"


class Post(Protocol):
    """Whatever hands messages on."""

    def send(self, route: Route, messages: Sequence[Message]) -> Generator[str]:
        """Yield for each message, in their order, "" when it was taken, else why not; what follows
        one that was not taken is not sent.
        """
        ...


class ApprisePost:
    """Sends through Apprise; a service has so many seconds for each message."""

    def __init__(self, seconds: float) -> None:
        """Remember how long to wait."""
        self._seconds = seconds

    def send(self, route: Route, messages: Sequence[Message]) -> Generator[str]:
        """Yield what came of each message, until one is not taken."""
        command = [sys.executable, "-m", f"{__package__}.apprise_program"]
        path = os.pathsep.join(p for p in (_ROOT, os.environ.get("PYTHONPATH", "")) if p)
        with subprocess.Popen(
            mortal_command(signal.SIGKILL, os.getpid(), command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        ) as child:
            try:
                yield from self._talk(_Talk(child), route.to.get_secret_value(), messages)
            finally:
                child.kill()

    def _talk(self, talk: _Talk, address: str, messages: Sequence[Message]) -> Generator[str]:
        answer = talk.ask(address, START_SECONDS)
        if answer is None or not answer.get("ready"):
            yield _UNKNOWN if answer is not None else _ENDED
            return
        for message in messages:
            lines = {"title": message.title, "body": message.body, "tone": message.tone}
            answer = talk.ask(lines, self._seconds)
            why = self._why(talk, answer)
            yield why
            if why:
                return

    def _why(self, talk: _Talk, answer: dict[str, Any] | None) -> str:
        if answer is None:
            return f"no answer within {self._seconds:g} s" if talk.is_late else _ENDED
        return "" if answer["taken"] else str(answer["why"])


class _Talk:
    """Questions to the process and its answers, a line of JSON each."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("The process that sends has no pipes.")
        self._stdin, self._stdout = child.stdin, child.stdout.fileno()
        self._unread = b""
        self.is_late = False

    def ask(self, question: Any, seconds: float) -> dict[str, Any] | None:
        """Return the answer; None where the process ended or took too long."""
        try:
            self._stdin.write(json.dumps(question).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            return None
        line = self._read_line(time.monotonic() + seconds)
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def _read_line(self, deadline: float) -> bytes:
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._stdout], [], [], left)[0]:
                self.is_late = True
                return b""
            part = os.read(self._stdout, _CHUNK)
            if not part:
                return b""
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return line
