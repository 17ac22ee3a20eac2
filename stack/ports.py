"""The ports that the programs listen on: wanted twice, or taken, and by whom."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING

import psutil

from pipelines.errors import RequestError
from stack.layout import HOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stack.programs import Program


def refuse_ports(running: Sequence[Program]) -> None:
    """Raise RequestError where a port is wanted twice or taken, naming the port, its setting and
    its holder.
    """
    settings_by_port: dict[int, str] = {}
    for program in running:
        if program.port is None:
            continue
        if program.port in settings_by_port:
            raise RequestError(
                f"{program.port_setting} and {settings_by_port[program.port]} both say"
                f" {program.port}.",
                remedy="give each program a port of its own.",
            )
        settings_by_port[program.port] = program.port_setting
        if port_is_taken(program.port):
            raise RequestError(
                f"Port {program.port} for {program.name} is taken by {port_holder(program.port)}.",
                remedy=f"end it, or choose another port: {program.port_setting}=….",
            )


def port_is_taken(port: int) -> bool:
    """Tell whether something listens on the port of 127.0.0.1 (or of all interfaces)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return True
            raise
    return False


def port_holder(port: int) -> str:
    """Return who listens on the port, in words; what the system does not tell is left out."""
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(connection.pid)
                    return (
                        f"process {process.pid}"
                        f" ({' '.join(process.cmdline())[:120] or process.name()})"
                    )
    return "a process that this user may not see" if os.geteuid() else "an unknown process"
