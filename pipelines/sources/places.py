"""Where files lie: local paths, S3 and whatever else fsspec speaks; and what their folders say."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pipelines.errors import GiveUp, SpecError, Unreachable
from pipelines.sources.archives import content_of
from pipelines.sources.urls import display_url, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyarrow.fs import S3FileSystem

_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe (FIFO)",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}
_FOLDER = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=([^/]*)$")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive, Spark and Delta name the folder of rows without a value."""

CHANGES = "a file that grows is read again: try again once it is written, or rename it into place."


def read_contents(uri: str, most: int) -> list[tuple[str, str, bytes]]:
    """Return path, name and content (as it is stored) of each file behind the URI, by path.

    Raises Unreachable where one cannot be read, or changes while it is read.
    """
    subject = display_url(uri)
    try:
        contents = [_read_content(f, most) for f in files_behind(uri)]
    except GiveUp:
        raise
    except _ChangedFile as error:
        raise Unreachable(f"{error.name} changed while it was read.", remedy=CHANGES) from None
    # Each of fsspec's file systems has errors of its own; the place alone is their cause.
    except Exception as error:  # noqa: BLE001 -- see above
        why = f"{type(error).__name__}: {without_secrets(str(error), uri)}"
        # Without the cause: a library's message may hold the URL with its password or its
        # signature.

        raise Unreachable(
            f"{subject} cannot be read: {why}.", remedy="check `source.uri` and the access to it."
        ) from None
    if not contents:
        raise Unreachable(
            f"No file matches {subject}.",
            remedy="check `source.uri`; for a batch that is still to come, wait.",
        )
    return contents


def folders_of(path: str, uri: str) -> Mapping[str, str | None]:
    """Return what the folders `key=value` of a path say, below where the URI's pattern begins."""
    fixed = re.split(r"[*?\[]", uri, maxsplit=1)[0]
    depth = len(fixed.split("://")[-1].strip("/").split("/")) - 1
    parts = path.rsplit("://", maxsplit=1)[-1].strip("/").split("/")[:-1]
    folders: dict[str, str | None] = {}
    for part in parts[depth:] if fixed != uri else []:
        match = _FOLDER.match(part)
        if match:
            value = unquote(match[2])
            folders[match[1]] = None if value == _NO_VALUE else value
    return folders


def files_behind(uri: str) -> list[Any]:
    """Return what fsspec opens, by path. Raises SpecError where one is no regular file."""
    files = sorted(_open_files(uri), key=lambda f: f.path)
    for file in files:
        _check_regular(file)
    return files


def _open_files(uri: str) -> list[Any]:
    """Return what fsspec opens; S3 by Arrow's own file system, which needs no further package.

    Its endpoint, region and keys are those of the environment (AWS_ENDPOINT_URL, AWS_REGION,
    AWS_ACCESS_KEY_ID …).
    """
    import fsspec

    if not uri.startswith("s3://"):
        return list(fsspec.open_files(uri, mode="rb", compression=None))
    from fsspec.core import OpenFile
    from fsspec.implementations.arrow import ArrowFSWrapper

    system = ArrowFSWrapper(_s3())
    path = uri.removeprefix("s3://")
    paths = system.glob(path) if re.search(r"[*?\[]", path) else [path]
    return [OpenFile(system, p, mode="rb") for p in paths if not system.isdir(p)]


def _s3() -> S3FileSystem:
    """Return Arrow's file system of the S3 that the environment names; Amazon's without one."""
    from pyarrow.fs import S3FileSystem

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return S3FileSystem(endpoint_override=endpoint, region=region)


def _check_regular(file: Any) -> None:
    """Raise SpecError where a local path is there but no regular file.

    Reading it might never end.
    """
    if not is_local(file):
        return
    try:
        mode = os.stat(file.path).st_mode  # noqa: PTH116 -- fsspec's paths are texts
    except OSError:
        return  # opening it says why
    for is_kind, kind in _KINDS.items():
        if is_kind(mode):
            more = "; a folder is read as `folder/**/*.csv`" if kind == "a folder" else ""
            raise SpecError(
                f"{file.path} is {kind}, no regular file.",
                remedy=f"name files in `source.uri`{more}.",
            )


def is_local(file: Any) -> bool:
    """Tell whether what fsspec opens lies on this disk."""
    protocol = file.fs.protocol
    return "file" in {protocol, *([] if isinstance(protocol, str) else protocol)}


class _ChangedFile(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _read_content(file: Any, most: int) -> tuple[str, str, bytes]:
    name = display_url(file.path).rsplit("/", 1)[-1]
    before = state_of(file)
    with file as stream:
        content = content_of(stream, name, most)
    if state_of(file) != before:
        raise _ChangedFile(name)
    return file.path, name, content


def state_of(file: Any) -> object:
    """Return what changes with a local file: elsewhere objects are replaced as a whole."""
    if not is_local(file):
        return None
    status = os.stat(file.path)  # noqa: PTH116 -- fsspec's paths are texts
    return status.st_size, status.st_mtime_ns, status.st_ino
