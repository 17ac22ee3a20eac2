"""A real server for the time of a judgement: Perennial's own, in a process and a folder of its own.

It is started as everywhere (`python -m serving`), on an empty store, and is killed with all that
it started when the judgement is over, when the process that judges ends, or when it takes too long.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pipelines.deployment.serving_client import ServingClient
from pipelines.die_with_parent import mortal_command
from pipelines.errors import BadData, Unreachable
from pipelines.fence.guard import bare_environment
from pipelines.judging.served_bundle import release_served
from pipelines.store.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pipelines.context import Context
    from pipelines.refs import Ref

    Servers = Callable[[Context], AbstractContextManager["TrialServer"]]
    """Yields a server that answers and serves nothing yet, or only older releases."""

ROWS = 100
"""Rows of one request that the server takes at least."""
START_SECONDS = 60.0
"""How long a server without a model may take to answer."""
MOST_SECONDS = 900.0
"""How long a server may run in all; then it is killed, whatever it does."""
_STARTS = 3
"""Tries: another program may take the port that was free."""
_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = (sys.executable, "-P", "-m", "serving")
_PAUSE = 0.02


class NotMeasured(BadData):
    """The server did not do what it is asked for, so nothing is known."""


@dataclass
class TrialServer:
    """A server that runs, and its folder."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    overdue: str = ""
    """Why it was killed, in words; empty while it may run."""
    releases: int = 0
    """How many it was given."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> LocalStore:
        """The store that it follows."""
        return LocalStore(self.folder / "store")

    def expect_alive(self, *, within: float = 0.0) -> None:
        """Raise NotMeasured where it has ended, or ends in so many seconds, with its last words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(within)
        if self.overdue:
            raise NotMeasured(self.overdue)
        code = self.process.poll()
        if code is None:
            return
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines = (self.folder / "log").read_text(errors="replace").split("\n")
        last = next((line.strip()[:200] for line in reversed(lines) if line.strip()), "nothing")
        raise NotMeasured(f"The server {how}; its last words: {last}")

    def serve(self, manifest: Ref, model: str, version: str, seconds: float) -> int:
        """Hand a bundle to the server, wait until it serves it, and return the release's number.

        Raises NotMeasured where it does not within so many seconds.
        """
        self.releases += 1
        release_served(self.store, manifest, model, version, self.releases)
        client, end = ServingClient(self.url), time.monotonic() + seconds
        while time.monotonic() < end:
            self.expect_alive()
            with contextlib.suppress(Unreachable):
                says = client.serves(model)
                if says.refused is not None and says.refused.release == self.releases:
                    raise NotMeasured(f"The server refused the model: {says.refused.reason}")
                if says.release == self.releases:
                    return self.releases
            time.sleep(_PAUSE)
        self.expect_alive()
        raise NotMeasured(f"The server did not serve the model within {seconds:g} s.")

    def end(self, why: str = "") -> None:
        """Kill it with all that it started."""
        with self._lock:
            self.overdue = self.overdue or why
            processes: list[psutil.Process] = []
            with contextlib.suppress(psutil.Error):
                processes = psutil.Process(self.process.pid).children(recursive=True)
            if self.process.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self.process.wait()


@contextlib.contextmanager
def running_server(
    context: Context,
    *,
    program: tuple[str, ...] = _PROGRAM,
    start_seconds: float = START_SECONDS,
    most_seconds: float = MOST_SECONDS,
) -> Iterator[TrialServer]:
    """Yield a server that answers and serves nothing yet; it is ended with all that it started.

    Raises NotMeasured where it does not start. `program` finds its port in PERENNIAL_SERVING_PORT.
    """
    why = f"The server was not done after {most_seconds:g} s, and was ended."
    with tempfile.TemporaryDirectory(prefix="perennial-gate-") as name:
        server = _first_alive(context, Path(name), program, start_seconds)
        try:
            with _ending(server, most_seconds, why):
                yield server
        finally:
            server.end()


@contextlib.contextmanager
def _ending(server: TrialServer, seconds: float, why: str) -> Iterator[None]:
    """Kill the server where the block takes longer, so that whoever waits for it waits no more."""
    watch = threading.Timer(seconds, server.end, [why])
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _first_alive(
    context: Context, folder: Path, program: tuple[str, ...], seconds: float
) -> TrialServer:
    for left in reversed(range(_STARTS)):
        server = _start(context, folder, program)
        try:
            _await_health(server, seconds)
        except NotMeasured:
            server.end()
            # Only a server that ended may have lost its port to another program.
            if not left or server.overdue:
                raise
        except BaseException:
            server.end()
            raise
        else:
            return server
    raise NotMeasured("The server was not started.")


def _start(context: Context, folder: Path, program: tuple[str, ...]) -> TrialServer:
    port, settings = _free_port(), context.settings
    if context.environment is not None and not (folder / "environments").exists():
        # What the model requires is installed once, for whoever needs it.
        (folder / "environments").symlink_to(settings.state / "environments")
    ours = {
        "HOME": settings.home,
        "STATE": folder,
        "STORE": folder / "store",
        "SERVING_PORT": port,
        "SERVING_POLL_SECONDS": 0.2,
        "SERVING_WORKERS": 1,
        "REQUIRE_SIGNATURE": "false",  # it is signed when it is packaged
        "BODY_LIMIT": settings.body_limit,
        "MAX_ROWS": max(settings.max_rows, ROWS),
        "OWN_CODE_ANSWER_SECONDS": settings.own_code_answer_seconds,
        **({"PACKAGES": settings.packages} if settings.packages else {}),
    }
    bare = bare_environment()
    path = [str(_ROOT), *bare.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {
        **bare,
        **{f"PERENNIAL_{name}": str(value) for name, value in ours.items()},
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "OMP_NUM_THREADS": "1",  # as in the images of serving
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            mortal_command(signal.SIGKILL, os.getpid(), list(program)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    return TrialServer(process, port, folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_health(server: TrialServer, seconds: float) -> None:
    """Wait until the server says that it is well. Raises NotMeasured."""
    import httpx

    with _ending(server, seconds, f"The server did not answer within {seconds:g} s."):
        while True:
            server.expect_alive()
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{server.url}/health", timeout=5, trust_env=False).is_success:
                    server.expect_alive()  # else another program has answered
                    return
            time.sleep(_PAUSE)
