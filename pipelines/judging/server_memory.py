"""What a server needs of memory for a challenger: a real one, in a process of its own, asked.

The server is Perennial's, started as everywhere (`python -m serving`), on an empty store in a
folder of its own. What it takes then is the beginning; it takes the challenger's bundle, answers
rows and golden requests by HTTP, and the most that it and the processes below it took is the end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pipelines.bundle.rows import rows_from_table
from pipelines.deployment.serving_client import ServingClient
from pipelines.die_with_parent import mortal_command
from pipelines.errors import BadData, Unreachable
from pipelines.fence.guard import bare_environment
from pipelines.judging.served_bundle import NUMBER, release_served, write_served
from pipelines.science.gate.served_check import MemoryFacts
from pipelines.store.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.context import Context
    from pipelines.judging.served_model import ServedModel
    from pipelines.messages import FeaturesResult, TrainResult
    from pipelines.refs import Ref

ROWS = 100
"""Held-out rows that are asked, each alone and then all at once."""
START_SECONDS = 60.0
"""How long a server without a model may take to answer."""
_STARTS = 3
"""Tries: another program may take the port that was free."""
_ROOT = Path(__file__).resolve().parents[2]
_KIBIBYTE = 1024
_ANEW = b"5"
"""Written to /proc/PID/clear_refs, it lets the kernel count the peak from now on."""


class NotMeasured(BadData):
    """The server did not do what it is asked for, so nothing is known of its memory."""


@dataclass(frozen=True)
class _Server:
    """A server that runs, and its folder."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path

    @property
    def store(self) -> LocalStore:
        """The store that it follows."""
        return LocalStore(self.folder / "store")

    def expect_alive(self) -> None:
        """Raise NotMeasured where it has ended, with its last words."""
        code = self.process.poll()
        if code is None:
            return
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines = (self.folder / "log").read_text(errors="replace").split("\n")
        last = next((line.strip()[:200] for line in reversed(lines) if line.strip()), "nothing")
        raise NotMeasured(f"The server {how}; its last words: {last}")


def measure_memory(
    context: Context, features: FeaturesResult, best: TrainResult, model: ServedModel
) -> MemoryFacts:
    """Return how much more a server takes with the model than without; `error` where that cannot
    be measured.
    """
    if not sys.platform.startswith("linux"):
        return MemoryFacts(error="only Linux tells how much memory a process took at most")
    try:
        with tempfile.TemporaryDirectory(prefix="perennial-memory-") as name:
            return _measure(context, features, best, model, Path(name))
    except (BadData, Unreachable, OSError, psutil.Error) as error:
        return MemoryFacts(error=" ".join(str(error).split()))


def _measure(
    context: Context,
    features: FeaturesResult,
    best: TrainResult,
    model: ServedModel,
    folder: Path,
) -> MemoryFacts:
    manifest = write_served(context, features, best, model, LocalStore(folder / "store"))
    with _running(context, folder) as server:
        pid = server.process.pid
        before = psutil.Process(pid).memory_info().rss
        with contextlib.suppress(OSError):  # then the peak of the start counts too
            Path(f"/proc/{pid}/clear_refs").write_bytes(_ANEW)
        _await_release(context, server, manifest, best)
        _ask(context, server, model)
        server.expect_alive()
        return MemoryFacts(more=max(_peak(pid) - before, 0), without=before)


@contextlib.contextmanager
def _running(context: Context, folder: Path) -> Iterator[_Server]:
    """Yield a server that answers and serves nothing yet; it is ended with all that it started."""
    server = None
    try:
        for left in reversed(range(_STARTS)):
            server = _start(context, folder)
            try:
                _await_health(server)
            except NotMeasured:
                _end(server)
                if not left:
                    raise
            else:
                break
        assert server is not None  # noqa: S101 -- there is at least one try
        yield server
    finally:
        if server is not None:
            _end(server)


def _start(context: Context, folder: Path) -> _Server:
    port, settings = _free_port(), context.settings
    if context.environment is not None and not (folder / "environments").exists():
        # What the model requires is installed once, for whoever needs it.
        (folder / "environments").symlink_to(settings.state / "environments")
    ours = {
        "HOME": settings.home,
        "STATE": folder,
        "STORE": folder / "store",
        "SERVING_PORT": port,
        "SERVING_POLL_SECONDS": 0.05,
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
    command = [sys.executable, "-P", "-m", "serving"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            mortal_command(signal.SIGKILL, os.getpid(), command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    return _Server(process, f"http://127.0.0.1:{port}", folder)


def _end(server: _Server) -> None:
    processes: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        processes = psutil.Process(server.process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.process.pid, signal.SIGKILL)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    server.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_health(server: _Server) -> None:
    import httpx

    end = time.monotonic() + START_SECONDS
    while True:
        server.expect_alive()
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{server.url}/health", timeout=5, trust_env=False).is_success:
                server.expect_alive()  # else another program has answered
                return
        if time.monotonic() > end:
            raise NotMeasured(f"The server did not answer within {START_SECONDS:g} s.")
        time.sleep(0.05)


def _await_release(context: Context, server: _Server, manifest: Ref, best: TrainResult) -> None:
    """Hand the bundle to the server and wait until it serves it. Raises NotMeasured."""
    name, client = context.spec.name, ServingClient(server.url)
    release_served(server.store, manifest, name, best.run_id or best.candidate)
    seconds = context.settings.deploy_timeout_seconds
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        server.expect_alive()
        with contextlib.suppress(Unreachable):
            says = client.serves(name)
            if says.refused is not None:
                raise NotMeasured(f"The server refused the model: {says.refused.reason}")
            if says.release == NUMBER:
                return
        time.sleep(0.05)
    raise NotMeasured(f"The server did not serve the model within {seconds:g} s.")


def _ask(context: Context, server: _Server, model: ServedModel) -> None:
    """Ask held-out rows, each alone and all at once, and the golden requests of the gate.

    What the server refuses as no row of this model is no answer; without any, or where the server
    fails, NotMeasured is raised.
    """
    import httpx

    rows = rows_from_table(model.predictor.schema.columns, model.rows.slice(0, ROWS))
    bodies: list[dict[str, Any]] = [{"row": row} for row in rows]
    bodies += [{"row": golden.row} for golden in context.spec.gate.golden]
    bodies.append({"rows": rows})
    path = f"{server.url}/models/{context.spec.name}/predict"
    seconds, answered = context.settings.own_code_answer_seconds + START_SECONDS, 0
    with httpx.Client(timeout=seconds, trust_env=False) as client:
        for body in bodies:
            try:
                answer = client.post(path, json=body)
            except ValueError:  # what is infinite cannot be sent
                continue
            except httpx.HTTPError as error:
                server.expect_alive()
                raise NotMeasured(f"The server answers no more: {error!r}") from error
            if answer.is_server_error:
                raise NotMeasured(f"The server answers {answer.status_code} to a held-out row.")
            answered += answer.is_success
    if not answered:
        raise NotMeasured("The server answers none of the held-out rows.")


def _peak(pid: int) -> int:
    """Return the most bytes that a process and those below it took, each at its own time."""
    server = psutil.Process(pid)
    return sum(_peak_of(each.pid) for each in (server, *server.children(recursive=True)))


def _peak_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIBIBYTE
    raise NotMeasured("The kernel does not tell how much memory the server took.")
