"""A build's context: plain files and a plain Dockerfile are written anew, and nothing else is read,
not even for long."""

from __future__ import annotations

import io
import tarfile

import pytest

from door import context
from door.rules import Denied
from tests.unit.door.archives import DOCKERFILE, END, Counted, header

HEX = "0123456789abcdef" * 4
OWN = {"perennial": "1", "perennial.stack": "mine"}


def tar(members, mode="w"):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode=mode) as file:
        for entry, data in members:
            info = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    whole.seek(0)
    return whole


GOOD = (
    "Dockerfile",
    b'FROM perennial/steps\nLABEL "perennial.a"="b c=d" perennial.c=d\nCOPY release/ /release/\n',
)


def test_a_context_is_written_anew():
    entry = tarfile.TarInfo("release/model.onnx")
    entry.mode, entry.uid, entry.mtime = 0o4755, 0, 99
    clean = io.BytesIO()
    base, others = context.rebuild(tar([GOOD, (entry, b"model")]), clean)
    context.finish(clean, f"sha256:{HEX}", OWN, others)
    clean.seek(0)
    with tarfile.open(fileobj=clean) as archive:
        members = {
            member.name: (member.mode, archive.extractfile(member).read()) for member in archive
        }
    assert base == "perennial/steps"
    assert members == {
        "release/model.onnx": (0o755, b"model"),
        "Dockerfile": (
            0o444,
            f'FROM sha256:{HEX}\nLABEL "perennial"="1" "perennial.stack"="mine"\n'.encode()
            + GOOD[1].partition(b"\n")[2],
        ),
    }


def linked(kind, name="release/x", to="/etc/passwd"):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
    return entry


@pytest.mark.parametrize(
    "sent",
    [
        tar([]),
        tar([("release/x", b"")]),
        tar([GOOD, GOOD]),
        tar([GOOD, ("../x", b"")]),
        tar([GOOD, ("/x", b"")]),
        tar([GOOD, (".dockerignore", b"*")]),
        tar([GOOD, (linked(tarfile.SYMTYPE), b"")]),
        tar([GOOD, (linked(tarfile.LNKTYPE), b"")]),
        tar([GOOD, (linked(tarfile.CHRTYPE), b"")]),
        tar(
            [
                (linked(tarfile.SYMTYPE, "Dockerfile", "release/x"), b""),
                ("release/x", b"FROM x\nRUN x"),
            ]
        ),
        tar([GOOD], mode="w:gz"),
        io.BytesIO(b"no tar" * 1000),
        io.BytesIO(tar([GOOD]).getvalue()[:600]),
    ],
    ids=[
        "empty",
        "missing",
        "twice",
        "above",
        "absolute",
        "ignore",
        "symlink",
        "hardlink",
        "device",
        "linked",
        "gzip",
        "garbage",
        "torn",
    ],
)
def test_a_context_with_anything_but_plain_files_is_refused(sent):
    with pytest.raises(Denied):
        context.rebuild(sent, io.BytesIO())


@pytest.mark.parametrize(
    "dockerfile",
    [
        "",
        "RUN id",
        "FROM a\nRUN id",
        "FROM a\nADD http://elsewhere/x /x",
        "FROM a AS b\nCOPY x /x",
        "FROM a\nFROM b",
        "FROM --platform=x a",
        "ARG B=a\nFROM $B",
        "FROM a\nCOPY --from=postgres / /",
        "FROM a\nCOPY ../x /x",
        "FROM a\nCOPY x \\\n/x",
        "# escape=`\nFROM a",
        "# syntax=evil/frontend\nFROM a",
        "FROM a\nUSER root",
        "FROM a\nONBUILD RUN id",
        'FROM a\nENTRYPOINT ["sh"]',
        "FROM a\nLABEL perennial.a=b\\",
        "FROM a\nLABEL perennial.a=$B",
        "FROM a\nLABEL a=b",
        "FROM a\nLABEL perennial.a=b com.docker.compose.service=postgres",
        'FROM a\nLABEL "perennial.a"="b c" "com.docker.compose.service"="postgres"',
        "FROM a\nLABEL perennial.stack=mine",
        'FROM a\nLABEL perennial.a=b "perennial.stack"="yours"',
        'FROM a\nLABEL "perennial.kept"="mine"',
        "FROM a\nLABEL perennial=0",
        "FROM a\rRUN id",
        "FROM a\n\x0bRUN id",
        "from a",
        "FROM a\nFRÖM b",
    ],
)
def test_a_dockerfile_copies_and_labels_and_does_nothing_else(dockerfile):
    with pytest.raises(Denied):
        context.rebuild(tar([("Dockerfile", dockerfile.encode())]), io.BytesIO())


def test_a_file_is_copied_in_pieces():
    stream = Counted(DOCKERFILE + header("model", 1 << 20) + bytes(1 << 20) + END)
    context.rebuild(stream, io.BytesIO())
    assert stream.longest <= context.CHUNK


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_every_library_writes_is_read(kind):
    whole, clean = io.BytesIO(), io.BytesIO()
    names = [
        "root/" + "a" * 90 + "/" + "b" * 60,
        "root/short",
        *([] if kind == tarfile.USTAR_FORMAT else ["root/" + "c" * 250]),
    ]
    with tarfile.open(fileobj=whole, mode="w", format=kind) as archive:
        for name, data in {**dict.fromkeys(names, b"data"), "Dockerfile": b"FROM a\n"}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1.5
            archive.addfile(entry, io.BytesIO(data))
        folder = tarfile.TarInfo("root")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    _, others = context.rebuild(whole, clean)
    context.finish(clean, "sha256:" + HEX, OWN, others)
    clean.seek(0)
    with tarfile.open(fileobj=clean) as found:
        assert sorted(found.getnames()) == sorted([*names, "root", "Dockerfile"])
        assert {found.extractfile(name).read() for name in names} == {b"data"}


def test_a_disk_that_is_full_is_a_named_error():
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    with pytest.raises(Denied, match="No space left on device"):
        context.rebuild(tar([GOOD, ("x", b"1")]), Full())
