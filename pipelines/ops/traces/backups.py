"""Whether a backup holds what is sought: each file in it is looked at as in a state."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipelines.errors import Corrupted
from pipelines.ops.backup.archive import open_entries
from pipelines.ops.traces.content import SQLITE, database_holds, holds, lines_hold
from pipelines.ops.traces.search import GIT, Trace, segment_holds
from pipelines.store.port import KEYS, SEGMENTS
from pipelines.store.sealing import unseal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.ops.traces.sought import Sought

DUMP = b"PGDMP"
"""How a copy of a PostgreSQL database begins; its own program unpacks it."""


def in_backup(path: Path, sought: Sequence[Sought]) -> Iterator[tuple[Trace, bool | None]]:
    """Yield each file of a backup, and whether it holds what is sought; None where it cannot be
    read, as a PostgreSQL database's copy where `pg_restore` is not there.

    Raises RequestError where there is no such file, Corrupted where it is no whole tar.
    """
    with open_entries(path) as entries:
        for entry, file in entries:
            parts = Path(entry.name).parts
            if file is None or (".git" in parts and GIT in parts):
                continue
            there = _member_holds(entry.name, file, sought)
            yield Trace("backup", f"{path}: {entry.name}"), there


def _member_holds(name: str, file: IO[bytes], sought: Sequence[Sought]) -> bool | None:
    head = file.read(len(SQLITE))
    if head.startswith((SQLITE, DUMP)):
        # a database may be larger than memory
        with tempfile.NamedTemporaryFile(prefix="perennial-traces-") as copy:
            copy.write(head)
            shutil.copyfileobj(file, copy)
            copy.flush()
            if head.startswith(SQLITE):
                return database_holds(Path(copy.name), sought, is_copy=True)
            return program_holds(["pg_restore", "--file=-", copy.name], sought)
    data = head + file.read()
    for folder, look in ((KEYS, _entry_holds), (SEGMENTS, segment_holds)):
        top = f"store/{folder}/"
        if name.startswith(top):
            return look(name.removeprefix(top), data, sought)
    return holds(data, sought)


def _entry_holds(key: str, data: bytes, sought: Sequence[Sought]) -> bool | None:
    try:
        return holds(unseal(key, data), sought)
    except Corrupted:
        return None


def program_holds(command: Sequence[str], sought: Sequence[Sought]) -> bool | None:
    """Tell whether the text that a program writes holds it, as it comes; a number counts as a word.

    None where there is no such program, or it failed.
    """
    try:
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return None
    with program:
        if program.stdout is None:
            raise RuntimeError("nobody listens to the program")
        if lines_hold(program.stdout, sought):
            program.kill()
            return True
    return False if program.returncode == 0 else None
