"""How a large page is kept: packed, and the program within it once for all pages that have it.

Evidently's page is 3.9 MB, of which all but some 100 kB are the program that draws it. So a page is
cut where such a program stands; what is left is packed by itself, and so is each program. Both are
objects like any other: named by their content, and verified when they are read.

Stored format: xz, which holds no time, so that the same page has the same name. A page repeats
itself from column to column, further apart than gzip looks: xz makes it 2.5 times smaller. A page
that is named by a plain `Ref` to HTML is one of an earlier version, and is read as it is.
"""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from pipelines.errors import Corrupted
from pipelines.refs import Ref, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.store.port import Store

PAGE, PROGRAM = ".html.xz", ".program.xz"
"""How the names of a packed page and of a packed program end. A program holds no rows."""
_PAGE_EFFORT, _PROGRAM_EFFORT = lzma.PRESET_DEFAULT, 1
"""How hard xz tries. A program is kept once and packed at each look, for which the default takes
1.7 s of the processor, and this 0.35 s: it is a seventh larger by that.
"""
MOST = 200 * 1024 * 1024
"""Bytes that one part may have unpacked; what is larger is no page of ours."""


class Cut(Value):
    """A program that was cut out of a page, and where in what was left of it: bytes from its start.

    Several may have stood at one place, in their order.
    """

    at: Annotated[int, Field(ge=0)]
    program: Ref


class PageRef(Ref):
    """A reference to a page: what is left of it in the store, and what was cut out of it."""

    cuts: list[Cut] = Field(default_factory=list)

    def entry(self) -> dict[str, object]:
        """Return the JSON by which the page is named in an entry of the store."""
        return self.model_dump(mode="json", exclude_unset=True)


def put_page(store: Store, page: bytes, programs: Sequence[bytes] = ()) -> PageRef:
    """Store a page packed, and each of the programs that stands in it by itself."""
    found = sorted((at, program) for program in programs if (at := page.find(program)) >= 0)
    rest, cuts, end = b"", [], 0
    for at, program in found:
        if not program or at < end:
            continue
        rest += page[end:at]
        cuts.append(Cut(at=len(rest), program=store.put(_pack(program, _PROGRAM_EFFORT), PROGRAM)))
        end = at + len(program)
    left = store.put(_pack(rest + page[end:], _PAGE_EFFORT), PAGE)
    return PageRef(uri=left.uri, sha256=left.sha256, cuts=cuts)


def get_page(store: Store, ref: Ref) -> bytes:
    """Return a page as it was put. Raises Corrupted where a part is gone or was changed."""
    rest = _unpack(store, ref) if ref.uri.endswith(PAGE) else store.get(ref)
    parts, end = [], 0
    for cut in ref.cuts if isinstance(ref, PageRef) else ():
        parts += [rest[end : cut.at], _unpack(store, cut.program)]
        end = cut.at
    return b"".join([*parts, rest[end:]])


def _pack(data: bytes, effort: int) -> bytes:
    return lzma.compress(data, preset=effort)


def _unpack(store: Store, ref: Ref) -> bytes:
    packed = store.get(ref)
    unpacking = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        data = unpacking.decompress(packed, MOST)
    except lzma.LZMAError:
        data = b""
    if not unpacking.eof:
        raise Corrupted(
            f"The object {ref.uri} is no packed page.",
            remedy="restore it from a backup, or run the step that made it again.",
        )
    return data
