"""supervisord: its configuration, and the conversation with it over a unix socket."""

from __future__ import annotations

import http.client
import io
import shlex
import sys
import xmlrpc.client
from configparser import RawConfigParser
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from supervisor.xmlrpc import SupervisorTransport

from pipelines.errors import Unreachable
from stack.layout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stack.layout import Layout
    from stack.programs import Program

STOP_SECONDS = 15
"""How long a program may take to end after SIGTERM, before SIGKILL."""

PRIORITIES = {"servers": 10, "workers": 20}
"""supervisord starts groups in this order and stops them in the reverse one."""

RUNNING = "RUNNING"
ENDED_EARLY = frozenset({"BACKOFF", "FATAL", "EXITED"})
"""States of a program that ended and was not asked to."""


def render(layout: Layout, programs_to_run: Sequence[Program], socket: Path) -> str:
    """Return supervisord's configuration.

    The environment comes from supervisord's own, so that it needs no quoting here.
    """
    config = RawConfigParser()
    config["unix_http_server"] = {"file": _escape(str(socket)), "chmod": "0700"}
    config["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "umask": "077",
        "directory": _escape(str(CHECKOUT)),
        "pidfile": _escape(str(layout.pidfile)),
        "logfile": _escape(str(layout.log("supervisord"))),
        "logfile_maxbytes": "10MB",
        "logfile_backups": "3",
        "childlogdir": _escape(str(layout.logs)),
        "strip_ansi": "true",
    }
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for program in programs_to_run:
        config[f"program:{program.name}"] = _program(layout, program)
    for group, priority in PRIORITIES.items():
        names = [program.name for program in programs_to_run if program.group == group]
        config[f"group:{group}"] = {"programs": ",".join(names), "priority": str(priority)}
    text = io.StringIO()
    config.write(text)
    return text.getvalue()


def _program(layout: Layout, program: Program) -> dict[str, str]:
    command = [
        sys.executable,
        "-m",
        "stack.launch",
        str(layout.state),
        program.name,
        *program.command,
    ]
    return {
        "command": _escape(shlex.join(command)),
        # `up` starts them, servers first, Airflow after its database is migrated
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "3",
        # Each waits a second longer: a full disk at night heals without a hand
        "startretries": "1000",
        "stopasgroup": "true",
        "killasgroup": "true",
        "stopwaitsecs": str(STOP_SECONDS),
        "redirect_stderr": "true",
        "stdout_logfile": _escape(
            _escape(str(layout.log(program.name)))
        ),  # supervisord expands this one twice
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "3",
    }


def _escape(text: str) -> str:
    """Return the text as supervisord's configuration wants it: it would expand %(…)s."""
    return text.replace("%", "%%")


class Supervisor:
    """Speaks with a running supervisord."""

    def __init__(self, socket: Path) -> None:
        """Remember the socket; nothing is opened yet."""
        self._socket = socket

    @contextmanager
    def _proxy(self) -> Iterator[Any]:
        proxy = xmlrpc.client.ServerProxy(
            f"http://{HOST_IGNORED}",
            transport=SupervisorTransport(None, None, f"unix://{self._socket}"),
        )
        try:
            yield proxy.supervisor
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise Unreachable(
                f"supervisord does not answer on {self._socket}: {error}",
                remedy="python -m stack up",
            ) from error
        finally:
            proxy("close")()

    def programs(self) -> dict[str, dict[str, Any]]:
        """Return what supervisord knows of each program, by name.

        Statename, pid, start, stop, now (epoch seconds), spawnerr.
        """
        with self._proxy() as supervisor:
            return {info["name"]: info for info in supervisor.getAllProcessInfo()}

    def start(self, program: Program) -> None:
        """Start a program and do not wait for it; one that runs already is left alone."""
        with self._proxy() as supervisor:
            try:
                # XML-RPC knows no names.
                supervisor.startProcess(f"{program.group}:{program.name}", False)  # noqa: FBT003
            except xmlrpc.client.Fault as fault:
                if "ALREADY_STARTED" not in fault.faultString:
                    raise

    def shut_down(self) -> None:
        """Ask supervisord to stop all programs and to end."""
        with self._proxy() as supervisor:
            supervisor.shutdown()


HOST_IGNORED = "127.0.0.1"
"""XML-RPC wants a host; the transport goes to the socket."""
