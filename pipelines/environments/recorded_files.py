"""The files of an overlay, and the record by which one that was touched is seen.

An overlay is a folder with `site`, where the packages lie, and `record.json`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.refs import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
SITE = "site"
RECORD = "record.json"
_CACHES = "__pycache__"


def write_record(folder: Path) -> None:
    """Record size, time of change (ns) and hash of each file of an overlay."""
    files = _look(folder / SITE)
    (folder / RECORD).write_bytes(canonical({"format": FORMAT, "files": files}))


def _look(site: Path) -> dict[str, list[Any]]:
    """Return size, time of change (ns) and hash of each file below a folder."""
    return {
        name: [path.stat().st_size, path.stat().st_mtime_ns, sha256(path.read_bytes())]
        for name, path in _files(site)
    }


def _files(site: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(site.rglob("*")):
        if not path.is_dir() or path.is_symlink():
            yield path.relative_to(site).as_posix(), path


def find_damage(folder: Path, *, thorough: bool = False) -> str:
    """Return in words what is wrong with an overlay, nothing where it is whole.

    By size and time of each file, which costs milliseconds; `thorough` compares the hashes. A file
    that is not of the record is damage too, unless it is bytecode: that Python takes only where it
    fits its source.
    """
    try:
        files = _read_record(folder)
    except FileNotFoundError:
        return "it is not there"
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"its record cannot be read: {error}"
    there = dict(_files(folder / SITE))
    for name in sorted(files.keys() | there.keys()):
        if name in files and name in there:
            if not _is_same(there[name], files[name], thorough=thorough):
                return f"{name} was changed"
        elif name in files:
            return f"{name} is gone"
        elif _CACHES not in name.split("/"):
            return f"{name} does not belong to it"
    return ""


def _read_record(folder: Path) -> dict[str, list[Any]]:
    """Return what is recorded of an overlay's files.

    Raises OSError, ValueError, LookupError or TypeError where that cannot be read.
    """
    record = json.loads((folder / RECORD).read_bytes())
    if record["format"] != FORMAT:
        msg = f"its format is {record['format']}"
        raise ValueError(msg)
    return dict(record["files"])


def _is_same(path: Path, recorded: list[Any], *, thorough: bool) -> bool:
    size, changed, content = recorded
    status = path.lstat()
    if path.is_symlink() or status.st_size != size:
        return False
    if thorough:
        return bool(sha256(path.read_bytes()) == content)
    return bool(status.st_mtime_ns == changed)
