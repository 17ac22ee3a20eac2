"""What `up` remembers of the supervisord that it started, so that any later command finds it, or
knows that it is gone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from pydantic import Field, ValidationError

from pipelines.refs import Value

if TYPE_CHECKING:
    from stack.layout import Layout

LONGEST_SOCKET = 90
"""Characters: a unix socket's path may have about 100, and supervisord makes a name with a process
id beside it."""


class Record(Value):
    """A supervisord by process id and start time (a process id alone may be somebody else's by
    now), and its socket.
    """

    pid: int
    created: float
    socket: Path
    settings: dict[str, int | str] = Field(default_factory=dict)
    """The stack's ports and executor, by the names of their settings.

    Other commands find them here (see pipelines/running_stack.py).
    """

    @property
    def process(self) -> psutil.Process | None:
        """The supervisord, or None where it is gone."""
        try:
            process = psutil.Process(self.pid)
            alive = (
                process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


def _path(layout: Layout) -> Path:
    return layout.run / "supervisord.json"


def read_record(layout: Layout) -> Record | None:
    """Return the record, or None where there is none that can be read."""
    try:
        return Record.model_validate_json(_path(layout).read_text())
    except (FileNotFoundError, ValidationError):
        return None


def write_record(layout: Layout, record: Record) -> None:
    """Write the record in one move."""
    temporary = _path(layout).with_suffix(".tmp")
    temporary.write_text(record.model_dump_json())
    temporary.replace(_path(layout))


def forget(layout: Layout) -> None:
    """Remove the record and the socket."""
    record = read_record(layout)
    if record is not None:
        record.socket.unlink(missing_ok=True)
        if record.socket.parent != layout.run:
            shutil.rmtree(record.socket.parent, ignore_errors=True)
    _path(layout).unlink(missing_ok=True)


def make_socket_path(layout: Layout) -> Path:
    """Return where supervisord shall listen.

    In the state folder, or in a short temporary one where that lies too deep.
    """
    path = layout.run / "supervisord.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return path
    return Path(tempfile.mkdtemp(prefix="perennial-")) / "s.sock"
