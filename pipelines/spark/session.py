"""A driver, seen from the side of the one who asks it.

It is started at the first question, answers one after the other, and ends with this process. Of
several questions about one place, one driver answers all: to start one costs seconds.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from pipelines.die_with_parent import mortal_command
from pipelines.errors import GiveUp, Unreachable
from pipelines.spark.failures import failure_of, say_ended
from pipelines.spark.place import LOOPBACK, SparkVersions

if TYPE_CHECKING:
    from pipelines.spark.place import SparkPlace

DRIVER = Path(__file__).with_name("driver.py")
START_SECONDS = 60
"""For Python and Java to start, beside what Spark may take until it is there."""
CONNECT_SECONDS = 2.0
PAUSE_SECONDS = 0.5
LAST_LINES = 8
_UNSEEN = ("PERENNIAL_", "AIRFLOW", "MLFLOW_", "PYTHON", "_PYTHON", "VIRTUAL_ENV")
"""How variables begin that are none of the driver's business: our own and our secrets, and where
our Python finds its modules."""


class SparkSession:
    """A driver that runs."""

    def __init__(self, place: SparkPlace) -> None:
        """Start it, and wait until Spark is there.

        Raises Unreachable where it is not within the place's seconds, GiveUp where the place's
        Python has no PySpark or there is no Java.
        """
        self.place = place
        self.owner = os.getpid()
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        _refuse_absent_python(place)
        _wait_for_master(place)
        self._scratch = tempfile.TemporaryDirectory(prefix="perennial-spark-")
        self._process, self._answers = self._start()
        self._pump = Thread(target=self._pass_on, name="Spark's output", daemon=True)
        self._pump.start()
        question = {
            "submit": f"--properties-file {self._properties()} pyspark-shell",
            "folder": place.folder,
            "workers": not place.is_local,
            "seconds": place.seconds,
        }
        try:
            answer = self.ask(question, place.seconds + START_SECONDS)
            self.versions = SparkVersions.model_validate(answer)
        except BaseException:
            self.end()
            raise

    @property
    def is_fit(self) -> bool:
        """Whether it can be asked, by this process."""
        return self.owner == os.getpid() and self._process.poll() is None

    def ask(self, question: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        """Return the driver's answer. Raises what `failure_of` makes of an error.

        Where the driver has ended, or takes longer, it is gone afterwards.
        """
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 -- it was asked for
        with suppress(BrokenPipeError):
            stdin.write(json.dumps(question, default=str).encode() + b"\n")
            stdin.flush()
        line = self._read_line(seconds)
        if line is None:
            self.end()
            raise Unreachable(
                f"Spark at {self.place.master} was not there within {seconds:g} s."
                f"{self._last_words()}",
                remedy="see what its master says; PERENNIAL_SPARK_SECONDS gives it longer.",
            )
        if not line.endswith(b"\n"):
            self.end()
            raise say_ended(self._process.returncode, self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            what = question.get("what", "run")
            failure = failure_of(answer["error"], answer["text"], self.place, what)
            if failure.ends_session:
                self.end()
            raise failure.error
        return answer

    def end(self) -> None:
        """End it: first by having no more questions, then with all that it started."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5 if self.owner == os.getpid() else 0)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._answers.close()
        self._scratch.cleanup()

    def _start(self) -> tuple[subprocess.Popen[bytes], Any]:
        answers, theirs = os.pipe()
        command = [self.place.python, "-I", "-u", str(DRIVER), str(theirs)]
        process = subprocess.Popen(
            mortal_command(signal.SIGKILL, self.owner, command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs,),
            process_group=0,
            cwd=self._scratch.name,
            env=_driver_variables(self.place),
        )
        os.close(theirs)
        return process, os.fdopen(answers, "rb", buffering=0)

    def _properties(self) -> str:
        """Write Spark's configuration to a file that only we read: a password may be in it."""
        path = Path(self._scratch.name) / "spark.properties"
        path.touch(mode=0o600)
        conf = {**self.place.properties(), "spark.local.dir": self._scratch.name}
        if "spark.local.dir" in self.place.conf:
            conf["spark.local.dir"] = self.place.conf["spark.local.dir"]
        conf["spark.sql.warehouse.dir"] = f"{self._scratch.name}/warehouse"
        text = "".join(f"{name} {_escape(value)}\n" for name, value in conf.items())
        path.write_text(text, encoding="utf-8")
        return str(path)

    def _read_line(self, seconds: float | None) -> bytes | None:
        """Return the next line, a part of one where the driver ended; None where it is late."""
        end = None if seconds is None else time.monotonic() + seconds
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = None if end is None else max(0.0, end - time.monotonic())
                if not selector.select(left):
                    return None
                part = self._answers.read(65_536)
                if not part:
                    break
                line += part
        return line

    def _pass_on(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 -- it was asked for
        with stream, suppress(OSError, ValueError):  # either end was closed
            for line in iter(lambda: stream.readline(65_536), b""):
                text = line.decode(errors="replace").rstrip()
                self._last_lines.append(text)
                sys.stderr.write(f"spark: {text}\n")

    def _last_words(self) -> str:
        self._pump.join(1)
        words = " | ".join(line.strip()[:200] for line in self._last_lines if line.strip())
        return f" Its last words: {words}." if words else ""


def _driver_variables(place: SparkPlace) -> dict[str, str]:
    variables = {n: text for n, text in os.environ.items() if not n.startswith(_UNSEEN)}
    if place.is_here:
        variables.setdefault("SPARK_LOCAL_IP", LOOPBACK)
    return variables


def _escape(value: str) -> str:
    """Return a value as a file of Java's properties writes it."""
    return value.replace("\\", "\\\\")


def _refuse_absent_python(place: SparkPlace) -> None:
    if not os.access(place.python, os.X_OK):
        raise GiveUp(
            f"The Python for Spark, {place.python}, is not there.",
            remedy="run `make spark`, or name one that has PySpark: PERENNIAL_SPARK_PYTHON.",
        )


def _wait_for_master(place: SparkPlace) -> None:
    """Wait until one of the standalone masters listens.

    Raises Unreachable after the place's seconds. PySpark itself waits a minute for three tries, and
    then says it in a stack trace of a hundred lines.
    """
    end = time.monotonic() + place.seconds
    while place.hosts:
        for host in place.hosts:
            with suppress(OSError), socket.create_connection(host, CONNECT_SECONDS):
                return
        if time.monotonic() > end:
            raise Unreachable(
                f"No Spark master listens at {place.master}: tried for {place.seconds:g} s.",
                remedy=(
                    "start it, or mend PERENNIAL_SPARK_MASTER; PERENNIAL_SPARK_SECONDS is how long"
                    " to wait."
                ),
            )
        time.sleep(PAUSE_SECONDS)


_sessions: list[SparkSession] = []


def session_at(place: SparkPlace) -> SparkSession:
    """Return this process's session at a place; a new one where it has ended. Raises as it does."""
    found = next((s for s in _sessions if s.place == place and s.is_fit), None)
    if found is None:
        end_sessions()  # one at a time: each holds workers
        found = SparkSession(place)
        _sessions.append(found)
    return found


def end_sessions() -> None:
    """End all sessions of this process."""
    for session in _sessions:
        if session.owner == os.getpid():
            session.end()
    _sessions.clear()


atexit.register(end_sessions)
