"""What `--from` names: a file, a folder, a Delta table, a URI, or a query."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipelines.errors import RequestError

if TYPE_CHECKING:
    from pipelines.spec.table_options import Format

_QUERY = re.compile(r"^\s*(select|with|from)\s", re.IGNORECASE)
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"),
    (b"PK\x03\x04", "excel"), (b"\xd0\xcf\x11\xe0", "excel"), (b"{", "json"), (b"[", "json"),
)  # fmt: skip
"""With what files begin whose names say nothing."""


@dataclass(frozen=True)
class Place:
    """Where the data lie: the lines of `source:` so far, and the file's name for people.

    `uri` is where to read now; a query has none.
    """

    kind: Literal["files", "http", "sql"]
    name: str
    uri: str = ""
    source: dict[str, Any] = field(default_factory=dict)
    format: Format | None = None


def place_of(text: str, database: str | None, home: Path) -> Place:
    """Return the place that a text names. Relative paths count from the working folder.

    Raises RequestError where there is no such place, in words that say what to pass.
    """
    if _QUERY.match(text):
        return _query(text, database)
    if database is not None:
        raise RequestError(
            f"--database goes with a query, and --from {text!r} is none.",
            remedy="pass --from 'SELECT …', or leave --database out.",
        )
    if text.startswith(("http://", "https://")):
        return Place("http", text.rsplit("/", 1)[-1].split("?", maxsplit=1)[0], text, {"url": text})
    if "://" in text:
        return Place("files", text.rsplit("/", 1)[-1] or text, text, {"uri": _braces(text)})
    path = Path(text).expanduser().absolute()
    if "*" in text:
        return Place("files", path.name, str(path), {"uri": _relative(path, home)})
    if not path.exists():
        raise RequestError(
            f"There is nothing at {text}.",
            remedy="pass a file, a folder, a URI such as s3://bucket/file.parquet, or a query that"
            " begins with SELECT.",
        )
    if path.is_dir():
        return _folder(path, home)
    if not path.is_file():
        raise RequestError(f"{text} is no regular file.", remedy="pass a file or a folder.")
    return Place("files", path.name, str(path), {"uri": _relative(path, home)})


def format_by_content(data: bytes) -> Format:
    """Return the format of a file whose name tells none: by its first bytes, else a CSV."""
    start = data[:8].lstrip()
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), "csv")


def _query(text: str, database: str | None) -> Place:
    if database is None:
        raise RequestError(
            "A query needs --database, the name of its database.",
            remedy="pass --database NAME, and set PERENNIAL_SQL_<NAME> to its SQLAlchemy URL.",
        )
    query = text.strip().rstrip(";")
    return Place("sql", f"the query on {database}", "", {"database": database, "query": query})


def _folder(path: Path, home: Path) -> Place:
    """Return the files of one format below a folder, or the Delta table that it is."""
    from pipelines.errors import BadData
    from pipelines.sources.formats import format_of

    if (path / "_delta_log").is_dir():
        return Place("files", path.name, str(path), {"uri": _relative(path, home)}, "delta")
    formats: Counter[Format] = Counter()
    endings: dict[str, set[str]] = {}
    for file in sorted(path.rglob("*")):
        if not file.is_file() or file.name.startswith((".", "_")):
            continue
        try:
            kind = format_of(file.name, None)
        except BadData:
            continue
        formats[kind] += 1
        endings.setdefault(kind, set()).add("".join(file.suffixes[-2:]) if file.suffix in {
            ".gz", ".zip", ".bz2", ".xz", ".zst"} else file.suffix)  # fmt: skip
    if not formats:
        raise RequestError(
            f"No file below {path} is a table by its name.",
            remedy="pass a folder with CSV, Parquet, JSON, Arrow or Excel files, or one file.",
        )
    if len(formats) > 1 or len(endings[next(iter(formats))]) > 1:
        counts = ", ".join(f"{n} {word}" for word, n in formats.items())
        raise RequestError(
            f"The files below {path} are of several kinds ({counts}).",
            remedy="pass a pattern such as 'folder/**/*.csv', in quotes.",
        )
    (ending,) = endings[next(iter(formats))]
    pattern = path / "**" / f"*{ending}"
    return Place("files", f"{path.name}/", str(pattern), {"uri": _relative(pattern, home)})


def _relative(path: Path, home: Path) -> str:
    """Return the path as the spec has it: from the checkout where it lies in it."""
    try:
        return _braces(path.relative_to(home.absolute()).as_posix())
    except ValueError:
        return _braces(path.as_posix())


def _braces(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
