"""A build's context that someone sends: what it holds is judged, and the tar written anew.

Several tars can be read in one file, and the engine does more for a Dockerfile than its network mode says: ADD fetches URLs
from the host's network, FROM pulls what is not there and copies out of any image. So the engine gets a Dockerfile of FROM (an
image by id), COPY and LABEL alone, and plain files and folders.
"""

from __future__ import annotations

import io
import re
import tarfile
from typing import IO, TYPE_CHECKING

from stack.door.rules import Denied

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCKERFILE = "Dockerfile"
DOCKERFILE_BYTES = 65_536
MEMBERS = 100_000
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=,@+ -]{0,254}")
"""A file's or folder's name. It begins with a letter or number: neither `..` nor `.dockerignore` is one."""

FROM = re.compile(r"FROM ([A-Za-z0-9][A-Za-z0-9_.:/-]{0,254})")
COPY = re.compile(r"COPY ([A-Za-z0-9_][A-Za-z0-9_./-]{0,254}) (/[A-Za-z0-9_./-]{0,254})")
LABEL = re.compile(r'LABEL( ("[A-Za-z0-9_.-]{1,128}"|[A-Za-z0-9_.-]{1,128})=("[A-Za-z0-9_.:/@+=, -]*"|[A-Za-z0-9_.:/@+-]+))+')


def rebuilt(sent: IO[bytes], clean: IO[bytes]) -> tuple[str, list[str]]:
    """Copy the context from `sent` to `clean`, but for its Dockerfile; return what that is made FROM and its other lines.

    Raises Denied naming what may not be in it.
    """
    dockerfile = None
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=sent, mode="r:") as source, tarfile.open(fileobj=clean, mode="w", format=tarfile.PAX_FORMAT) as target:
            for member in _members(source, seen):
                data = source.extractfile(member) if member.isreg() else None
                if member.name == DOCKERFILE:
                    dockerfile = _text(member, data)
                else:
                    target.addfile(_plain(member), data)
            if dockerfile is None:
                raise Denied("The context has no Dockerfile.")
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise Denied("The context is no tar that can be read; it must not be compressed.") from error
    return lines(dockerfile)


def _members(source: tarfile.TarFile, seen: set[str]) -> Iterator[tarfile.TarInfo]:
    for member in source:
        name = member.name
        if not all(PART.fullmatch(part) for part in name.split("/")):
            raise Denied(f"The context holds {name[:80]!r}, which is no plain name.")
        if not (member.type in tarfile.REGULAR_TYPES or member.isdir()) or member.issparse():
            raise Denied(f"The context holds {name[:80]!r}, which is neither file nor folder.")
        if name in seen or len(seen) >= MEMBERS:
            raise Denied(f"The context holds {name[:80]!r} twice, or too much.")
        seen.add(name)
        yield member


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the member with its name, size and permissions alone: no owner, no time, no set-user-id bit."""
    entry = tarfile.TarInfo(member.name)
    entry.type = tarfile.DIRTYPE if member.isdir() else tarfile.REGTYPE
    entry.size = 0 if member.isdir() else member.size
    entry.mode = member.mode & 0o777
    return entry


def _text(member: tarfile.TarInfo, data: IO[bytes] | None) -> str:
    if data is None or member.size > DOCKERFILE_BYTES:
        raise Denied("The Dockerfile is no file, or too long.")
    return data.read().decode("ascii")


def lines(dockerfile: str) -> tuple[str, list[str]]:
    """Return what the Dockerfile is made FROM, and its other lines. Raises Denied naming the line."""
    first, *others = [line for line in dockerfile.split("\n") if line.strip()] or [""]
    base = FROM.fullmatch(first)
    if base is None:
        raise Denied(f"The Dockerfile must begin with FROM and an image: {first[:80]!r}.")
    for line in others:
        copy = COPY.fullmatch(line)
        if not (LABEL.fullmatch(line) or (copy and ".." not in line)):
            raise Denied(f"The Dockerfile may hold FROM, COPY and LABEL in their plainest form alone: {line[:80]!r}.")
    return base[1], others


def finish(clean: IO[bytes], base: str, labels: dict[str, str], others: list[str]) -> None:
    """Add the Dockerfile to the context: upon the image of the id `base`, with these labels and lines.

    The labels come first, so that what a failed build leaves is known by them.
    """
    marks = " ".join(f'"{name}"="{value}"' for name, value in labels.items())
    data = "\n".join([f"FROM {base}", f"LABEL {marks}", *others, ""]).encode()
    entry = tarfile.TarInfo(DOCKERFILE)
    entry.size, entry.mode = len(data), 0o444
    clean.seek(0)
    with tarfile.open(fileobj=clean, mode="a", format=tarfile.PAX_FORMAT) as target:
        target.addfile(entry, io.BytesIO(data))
