"""A build's context that someone sends: what it holds is judged, and the tar written anew.

Several tars can be read in one file, and the engine does more for a Dockerfile than its network
mode says: ADD fetches URLs from the host's network, FROM pulls what is not there and copies out of
any image. So the engine gets a Dockerfile of FROM (an image by id), COPY and LABEL alone, and plain
files and folders.
"""

from __future__ import annotations

import re
import tarfile
from typing import IO, TYPE_CHECKING

from door.rules import Denied, check_labels
from door.tar import BLOCK, members

if TYPE_CHECKING:
    from door.tar import Member

CHUNK = 65_536
DOCKERFILE = "Dockerfile"
DOCKERFILE_BYTES = 65_536
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=,@+ -]{0,254}")
"""A file's or folder's name.

It begins with a letter or number: neither `..` nor `.dockerignore` is one.
"""

FROM = re.compile(r"FROM ([A-Za-z0-9][A-Za-z0-9_.:/-]{0,254})")
COPY = re.compile(r"COPY ([A-Za-z0-9_][A-Za-z0-9_./-]{0,254}) (/[A-Za-z0-9_./-]{0,254})")
LABEL = re.compile(
    r'LABEL( ("[A-Za-z0-9_.-]{1,128}"|[A-Za-z0-9_.-]{1,128})=("[A-Za-z0-9_.:/@+=,'
    r' -]*"|[A-Za-z0-9_.:/@+-]+))+'
)
PAIR = re.compile(r' "?([A-Za-z0-9_.-]{1,128})"?=("[^"]*"|[^" ]+)')


def rebuild(upload: IO[bytes], clean: IO[bytes]) -> tuple[str, list[str]]:
    """Copy the context from `upload` to `clean`, but for its Dockerfile.

    Return what that is made FROM and its other lines.

    What is in `clean` then is whole after `finish` alone. Raises Denied naming what may not be in
    it, or what it cannot be read or kept for.
    """
    dockerfile = None
    names: set[str] = set()
    try:
        for member in members(upload):
            _check(member, names)
            if member.name == DOCKERFILE:
                dockerfile = _read_text(member, upload)
            else:
                _copy(member, upload, clean)
    except UnicodeError as error:
        raise Denied(
            "The context has a name or a Dockerfile with other letters than ASCII's."
        ) from error
    except OSError as error:
        raise Denied(f"The door cannot keep the context: {error.strerror or error}.") from error
    if dockerfile is None:
        raise Denied("The context has no Dockerfile.")
    return read_dockerfile(dockerfile)


def _check(member: Member, names: set[str]) -> None:
    if not all(PART.fullmatch(part) for part in member.name.split("/")):
        raise Denied(f"The context holds {member.name[:80]!r}, which is no plain name.")
    if member.name in names:
        raise Denied(f"The context holds {member.name[:80]!r} twice.")
    names.add(member.name)


def _copy(member: Member, upload: IO[bytes], clean: IO[bytes]) -> None:
    """Copy a member with its name, size and permissions alone.

    No owner, no time, no set-user-id bit.
    """
    clean.write(
        _header(
            member.name,
            member.size,
            member.mode,
            tarfile.DIRTYPE if member.folder else tarfile.REGTYPE,
        )
    )
    upload.seek(member.start)
    for start in range(0, member.size, CHUNK):
        clean.write(upload.read(min(CHUNK, member.size - start)))
    clean.write(bytes(-member.size % BLOCK))


def _header(name: str, size: int, mode: int, kind: bytes) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.mode = kind, size, mode
    return entry.tobuf(tarfile.PAX_FORMAT)


def _read_text(member: Member, upload: IO[bytes]) -> str:
    if member.folder or member.size > DOCKERFILE_BYTES:
        raise Denied("The Dockerfile is no file, or too long.")
    upload.seek(member.start)
    return upload.read(member.size).decode("ascii")


def read_dockerfile(dockerfile: str) -> tuple[str, list[str]]:
    """Return what the Dockerfile is made FROM, and its other lines.

    Raises Denied naming the line.
    """
    first, *others = [line for line in dockerfile.split("\n") if line.strip()] or [""]
    base = FROM.fullmatch(first)
    if base is None:
        raise Denied(f"The Dockerfile must begin with FROM and an image: {first[:80]!r}.")
    for line in others:
        copy = COPY.fullmatch(line)
        if LABEL.fullmatch(line):
            check_labels({pair[1]: pair[2].strip('"') for pair in PAIR.finditer(line)})
        elif not copy or ".." in line:
            raise Denied(
                "The Dockerfile may hold FROM, COPY and LABEL in their plainest form alone:"
                f" {line[:80]!r}."
            )
    return base[1], others


def finish(clean: IO[bytes], base: str, labels: dict[str, str], others: list[str]) -> None:
    """Add the Dockerfile to the context, and its end.

    Upon the image of the id `base`, with these labels and lines.

    The labels come first, so that what a failed build leaves is known by them.
    """
    marks = " ".join(f'"{name}"="{value}"' for name, value in labels.items())
    data = "\n".join([f"FROM {base}", f"LABEL {marks}", *others, ""]).encode()
    clean.seek(0, 2)
    clean.write(
        _header(DOCKERFILE, len(data), 0o444, tarfile.REGTYPE)
        + data
        + bytes(-len(data) % BLOCK + 2 * BLOCK)
    )
