"""Start, look at and stop the stack."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import psutil

from pipelines.broker import show_broker
from pipelines.errors import PerennialError, Unreachable
from pipelines.locks import hold
from pipelines.private_files import keep_private, make_folder
from pipelines.settings import OF_THE_STACK
from stack.celery import prepare_broker
from stack.environment import MARK, environment
from stack.health import Health, check, make_client
from stack.keys import make_keys
from stack.migration import is_needed, make_pools, migrate, prepare_home, prepare_mlflow
from stack.patience import Patience
from stack.ports import refuse_ports
from stack.processes import cpu_seconds, end, stack_processes
from stack.programs import programs
from stack.record import Record, forget, make_socket_path, read_record, write_record
from stack.signing import make_signing_key
from stack.supervisor import ENDED_EARLY, STOP_SECONDS, Supervisor, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import httpx

    from stack.layout import Layout
    from stack.programs import Program

    Say = Callable[[str], None]

POLL_SECONDS = 0.3
SUPERVISOR_SECONDS = 30
"""How long supervisord may take to open its socket; longer as long as it computes."""

CRASHES = 3
"""After so many ends of one program, `up` gives up."""


def up(
    layout: Layout, outer: Mapping[str, str], *, say: Say, timeout_seconds: float
) -> list[Health]:
    """Bring the stack up and return the health of its programs.

    Where it runs already, nothing is done but looking.

    A program that still computes after `timeout_seconds` is waited for some more
    (stack/patience.py).

    Raises RequestError where a port is taken, and PerennialError with the end of a program's log
    where one does not come up; then nothing is left running.
    """
    with _hold_stack(layout):
        supervisor = _supervisor(layout)
        if supervisor is not None:
            say("The stack is running already; nothing was started.")
            return _look(layout, supervisor)
        _clear(layout, say)
        running = programs(layout)
        refuse_ports(running)
        try:
            supervisor = _start(layout, environment(layout, outer), running, say)
            with make_client() as client:
                return _wait(
                    layout,
                    supervisor,
                    running,
                    client=client,
                    say=say,
                    timeout_seconds=timeout_seconds,
                )
        except BaseException:
            say("Stopping what was started …")
            _stop(layout)
            raise


def status(layout: Layout) -> list[Health]:
    """Return the health of each program."""
    return _look(layout, _supervisor(layout))


def _look(layout: Layout, supervisor: Supervisor | None) -> list[Health]:
    with make_client() as client:
        return check(client, programs(layout), supervisor.programs() if supervisor else {})


def down(layout: Layout, *, say: Say) -> bool:
    """Stop everything, also what a killed supervisord left; tell whether there was anything.

    Raises PerennialError for what stays.
    """
    with _hold_stack(layout):
        is_running = _supervisor(layout) is not None or bool(stack_processes(str(layout.state)))
        if is_running:
            say("Stopping …")
        _stop(layout)
        survivors = stack_processes(str(layout.state))
        if survivors:
            names = ", ".join(
                f"{process.pid} {name}".strip() for process, name in survivors.items()
            )
            raise PerennialError(
                f"These processes do not end: {names}.", remedy="end them by hand: kill -9 PID."
            )
        return is_running


def _hold_stack(layout: Layout) -> AbstractContextManager[object]:
    """Hold the lock of this stack, so that no `up` and `down` cross.

    Raises Busy where another one holds it.
    """
    return hold(
        layout.run / "lock",
        "Another `up` or `down` of this stack is at work.",
        seconds=0,
        remedy="wait for it to end, then look: make status.",
    )


def _supervisor(layout: Layout) -> Supervisor | None:
    record = read_record(layout)
    return Supervisor(record.socket) if record is not None and record.process is not None else None


def _clear(layout: Layout, say: Say) -> None:
    """End what a killed supervisord left, so that ports and databases are free."""
    leftovers = stack_processes(str(layout.state))
    if leftovers:
        say(
            f"Ending {len(leftovers)} processes that a killed stack left:"
            f" {', '.join(sorted({name for name in leftovers.values() if name}))}."
        )
        end(leftovers, grace_seconds=5)
    forget(layout)


def _start(
    layout: Layout, environ: dict[str, str], running: Sequence[Program], say: Say
) -> Supervisor:
    keep_private()
    for folder in (layout.state, layout.logs, layout.mlflow, layout.run):
        make_folder(folder)
    make_keys(layout.secrets)
    make_signing_key(layout, environ, say)
    prepare_home(layout)
    if layout.runs_mlflow:
        prepare_mlflow(layout)
    prepare_broker(layout)
    supervisor = _start_supervisord(layout, environ, running)
    migration = is_needed(layout)
    now, later = (
        [p for p in running if not (migration and p.needs_airflow_database)],
        [p for p in running if migration and p.needs_airflow_database],
    )
    for program in now:
        supervisor.start(program)
    if migration:
        say("Making Airflow's database (this time only) …")
        migrate(layout, environ)
    for program in later:
        supervisor.start(program)
    make_pools(layout, environ)  # until then their tasks wait
    return supervisor


def _start_supervisord(
    layout: Layout, environ: dict[str, str], running: Sequence[Program]
) -> Supervisor:
    socket = make_socket_path(layout)
    config = layout.run / "supervisord.conf"
    config.write_text(render(layout, running, socket))
    child = psutil.Process(
        _spawn(config, layout.log("supervisord.out"), {**environ, MARK: str(layout.state)})
    )
    write_record(
        layout,
        Record(
            pid=child.pid, created=child.create_time(), socket=socket, settings=_settings(layout)
        ),
    )
    supervisor = Supervisor(socket)
    patience = Patience(
        SUPERVISOR_SECONDS, lambda: cpu_seconds([child.pid]), quiet_seconds=SUPERVISOR_SECONDS
    )
    while True:
        try:
            supervisor.programs()
        except Unreachable:
            if not child.is_running() or child.status() == psutil.STATUS_ZOMBIE or patience.is_over:
                raise PerennialError(
                    f"supervisord does not start:\n{tail(layout.log('supervisord.out'))}"
                ) from None
            time.sleep(0.05)
        else:
            return supervisor


def _spawn(config: Path, output: Path, environ: dict[str, str]) -> int:
    """Start supervisord in a session of its own and return its pid.

    It is meant to outlive this process, so nothing here owns it.
    """
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)]
    return os.posix_spawn(sys.executable, command, environ, file_actions=files, setsid=True)


def _wait(
    layout: Layout,
    supervisor: Supervisor,
    running: Sequence[Program],
    *,
    client: httpx.Client,
    say: Say,
    timeout_seconds: float,
) -> list[Health]:
    """Wait until all is healthy, saying so of each program once."""
    begin = time.monotonic()
    announcements: set[str] = set()
    ends: dict[str, set[int]] = {}
    reports: list[Health] = []
    patience = Patience(timeout_seconds, lambda: _progress(reports))
    while True:
        states = supervisor.programs()
        reports = check(client, running, states)
        for health in reports:
            if health.is_healthy and health.name not in announcements:
                announcements.add(health.name)
                say(
                    f"  {health.name:<14} healthy after {time.monotonic() - begin:4.1f} s "
                    f" {health.url}".rstrip()
                )
        if all(health.is_healthy for health in reports):
            return reports
        for name, info in states.items():
            if info["statename"] in ENDED_EARLY:
                ends.setdefault(name, set()).add(info["stop"])
                if len(ends[name]) >= CRASHES:
                    raise _not_up(layout, name, f"ended {CRASHES} times")
        if patience.is_over:
            sick = next(health for health in reports if not health.is_healthy)
            raise _not_up(
                layout, sick.name, f"is {sick.state} after {patience.seconds:.0f} s ({sick.detail})"
            )
        time.sleep(POLL_SECONDS)


def _progress(reports: Sequence[Health]) -> tuple[int, int]:
    """Return what changes while a stack comes up.

    How many are healthy, and the CPU seconds of those that are not yet.
    """
    waiting = [health for health in reports if not health.is_healthy]
    return len(waiting), cpu_seconds(health.pid for health in waiting if health.pid)


def _not_up(layout: Layout, name: str, reason: str) -> PerennialError:
    log = layout.log(name)
    return PerennialError(
        f"{name} {reason}. The end of {log}:\n{tail(log)}",
        remedy="mend what the log names, then: make up.",
    )


def _stop(layout: Layout) -> None:
    """Stop in order where supervisord is there, then whatever carries the stack's mark."""
    record = read_record(layout)
    process = record.process if record else None
    if record is not None and process is not None:
        try:
            Supervisor(record.socket).shut_down()
            process.wait(timeout=2 * STOP_SECONDS + 10)
        except (Unreachable, psutil.TimeoutExpired):
            end([process], grace_seconds=5)
    end(stack_processes(str(layout.state)), grace_seconds=5)
    forget(layout)


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log; a sentence where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 20_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"(there is no {log})"


def _settings(layout: Layout) -> dict[str, int | str]:
    values = {name: getattr(layout.settings, name) for name in OF_THE_STACK}
    if values["broker_url"] is not None:
        values["broker_url"] = show_broker(values["broker_url"])
    if values["broker_ca"] is not None:
        values["broker_ca"] = str(values["broker_ca"])
    return {name: value for name, value in values.items() if value is not None}
