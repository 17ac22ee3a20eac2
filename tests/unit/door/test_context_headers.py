"""A build's context whose headers lie, or are long, is refused at once."""

from __future__ import annotations

import io

import pytest

from door import context
from door import tar as strict
from door.rules import Denied
from tests.unit.door.archives import DOCKERFILE, END, Counted, header, padded


def pax(text, size=None):
    return header("pax", len(text) if size is None else size, b"x") + padded(text)


def said(key, value):
    """A record of an extended header, which begins with its own length."""
    length = next(
        number for number in range(5, 99_999) if len(f"{number} {key}={value}\n") == number
    )
    return f"{length} {key}={value}\n".encode()


@pytest.mark.parametrize(
    "sent",
    [
        header("a", -16384) + bytes(32768),
        header("a", -512) + END,
        header("a", 0, field=b"-0000000001\0"),
        header("a", 0, field=b"0x000000001\0"),
        header("a", 0, field=b"0_000000001\0"),
        header("a", 0, field=b"           \0"),
        pax(said("size", -512)) + header("a", 512) + bytes(512),
        pax(said("size", "9" * 30)) + header("a", 512) + bytes(512),
        pax(said("GNU.sparse.major", 1) + said("GNU.sparse.minor", 0))
        + header("a", 512)
        + padded(b"99999999\n" * 50),
        pax(said("linkpath", "/etc/passwd")) + header("a", 0),
        pax(said("path", "../x")) + header("a", 0),
        pax(said("path", "x" * 1025)) + header("a", 0),
        pax(b"0 path=x\n") + header("a", 0),
        pax(b"999 path=x\n") + header("a", 0),
        pax(b"path=x\n") + header("a", 0),
        pax(b"") + header("a", 0),
        pax(said("mtime", 1)) + pax(said("mtime", 2)) + header("a", 0),
        pax(said("mtime", 1)) * 2000 + header("a", 0),
        header("L", 70_000, b"L") + bytes(70_144) + header("a", 0),
        header("K", 8, b"K") + padded(b"/etc/pw") + header("a", 0),
        header("g", 20, b"g") + padded(said("path", "x")) + header("a", 0),
        header("S", 0, b"S"),
        header("a", 5, b"5") + padded(b"12345"),
        header("a", 2000) + bytes(512),
        header("a" * 99, 0) + header("a" * 99, 0),
    ],
    ids=[
        "base-256 back far",
        "base-256 back a block",
        "minus",
        "hexadecimal",
        "underscore",
        "no number",
        "pax size below zero",
        "pax size beyond all",
        "sparse",
        "a link by pax",
        "a name above",
        "a name too long",
        "a record of no length",
        "a record too long",
        "a record without length",
        "nothing said",
        "two headers",
        "very many headers",
        "long GNU name",
        "GNU link",
        "for all",
        "GNU sparse",
        "a folder with data",
        "torn",
        "twice",
    ],
)
def test_headers_that_lie_are_refused_and_end(sent):
    with pytest.raises(Denied):
        context.rebuild(io.BytesIO(DOCKERFILE + sent + END), io.BytesIO())


def test_too_many_members_are_refused():
    sent = b"".join(header(f"f{number}", 0) for number in range(strict.MEMBERS + 1))
    with pytest.raises(Denied):
        context.rebuild(io.BytesIO(DOCKERFILE + sent + END), io.BytesIO())


def test_a_tar_without_an_end_is_torn():
    with pytest.raises(Denied, match="torn"):
        context.rebuild(io.BytesIO(DOCKERFILE), io.BytesIO())


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_a_long_header_is_refused_before_it_is_read(kind):
    sent = Counted(header("x", 4 << 20, kind) + bytes(4 << 20) + END)
    with pytest.raises(Denied, match="extended header"):
        context.rebuild(sent, io.BytesIO())
    assert sent.longest == strict.BLOCK
