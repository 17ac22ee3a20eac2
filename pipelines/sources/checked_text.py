"""A CSV's text as it is read part by part, and what only the whole of it can tell."""

from __future__ import annotations

import codecs
import re
import threading
from typing import TYPE_CHECKING, Any, Self

from pipelines.sources.csv_text import SAMPLE, holds_nul, not_decoded

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from pipelines.errors import BadData

_BLOCK = 2**22
_HEX = re.compile(rb"[^0-9A-Za-z]0[xX]")
"""Where a number in hex may begin: behind a letter or a digit none does."""
_BEFORE = 2
"""Bytes before a chunk that tell whether a number in hex begins at its border."""
_LOOKED_AT = 2**16
"""Bytes that are looked at together: they stay near the processor."""


class CheckedText:
    """A file in UTF-8 from a place on, as a stream whose last line has an end.

    Each byte that passes is looked at: whether it belongs to UTF-8, is NUL or a quote.
    """

    def __init__(self, path: Path, begin: int = 0, quote: bytes = b"") -> None:
        """Open the file; `begin` is the byte from which it is read."""
        self.has_hex = False
        """Whether `0x` stood in what was read, other than within a word."""
        self.quotes = 0
        """How many quotes there were."""
        self.lines = 0
        """How many lines ended in what was read; the last one has an end."""
        self.size = path.stat().st_size
        self._path = path
        self._quote = quote
        self._file = path.open("rb")
        self._file.seek(begin)
        self._place = begin
        self._last = b"\n"
        self._decoder: Any = codecs.getincrementaldecoder("utf-8")()
        self._is_pending = False
        self._wrong: int | None = None
        self._nul: int | None = None
        self._is_over = False
        # After an error Arrow may read ahead in its thread while `problem` reads in another.
        self._reading = threading.Lock()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def close(self) -> None:
        """Do nothing: the file stays open until the block that opened it ends."""

    def read(self, size: int = _BLOCK) -> bytes:
        """Return at most so many bytes; none at the end."""
        with self._reading:
            return self._read(size)

    def problem(self, subject: str) -> BadData | None:
        """Read to the end, and return what is wrong with the bytes; None where nothing is."""
        while self.read():
            pass
        if self._wrong is not None:
            start = max(0, self._wrong - SAMPLE)
            with self._path.open("rb") as file:
                file.seek(start)
                sample = file.read(self._wrong - start + SAMPLE)
            byte = sample[self._wrong - start] if self._wrong < self.size else None
            return not_decoded(byte, self._line_of(self._wrong), sample, "utf-8", subject)
        if self._nul is not None:
            return holds_nul(subject, self._line_of(self._nul))
        return None

    def _read(self, size: int) -> bytes:
        if self._is_over:
            return b""
        chunk = self._file.read(size)
        if chunk:
            self._look(chunk)
            return chunk
        self._is_over = True
        if self._is_pending and self._wrong is None:
            self._decode(b"", final=True)
        if self._last[-1:] in b"\r\n":
            return b""
        self.lines += 1
        return b"\n"

    def _look(self, chunk: bytes) -> None:
        self.lines += _count_lines(chunk)
        if self._quote:
            # `in` is much faster than `count`, and most files have none
            self.quotes += chunk.count(self._quote) if self._quote in chunk else 0
        if not self.has_hex:
            self.has_hex = _begins_hex(self._last, chunk)
        if self._nul is None and (nul := chunk.find(b"\x00")) >= 0:
            self._nul = self._place + nul
        if self._wrong is None and (self._is_pending or not chunk.isascii()):
            self._decode(chunk)
        self._last = (self._last + chunk[-_BEFORE:])[-_BEFORE:]
        self._place += len(chunk)

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        before = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            self._wrong = self._place - before + error.start
        self._is_pending = bool(self._decoder.getstate()[0])

    def _line_of(self, place: int) -> int:
        """Return the line on which a byte stands."""
        count = 1
        with self._path.open("rb") as file:
            while place > 0 and (chunk := file.read(min(_BLOCK, place))):
                count += chunk.count(b"\n")
                place -= len(chunk)
        return count


def _count_lines(chunk: bytes) -> int:
    import numpy as np

    # `count` takes five times as long
    signs = np.frombuffer(chunk, np.uint8)
    parts = (signs[start : start + _LOOKED_AT] for start in range(0, len(signs), _LOOKED_AT))
    return sum(int(np.count_nonzero(part == ord("\n"))) for part in parts)


def _begins_hex(before: bytes, chunk: bytes) -> bool:
    """Tell whether a number in hex may begin in the chunk, or with the bytes before it."""
    import numpy as np

    if _HEX.search(before + chunk[:_BEFORE]):
        return True
    # Searches for two bytes, by `find` or `re`, take several times as long.
    signs = np.frombuffer(chunk, np.uint8)
    for start in range(0, len(chunk), _LOOKED_AT):
        part = signs[start : start + _LOOKED_AT + 1]
        found = (part[1:] | 0x20) == ord("x")
        found &= part[:-1] == ord("0")
        places = (start + np.flatnonzero(found)).tolist() if found.any() else []
        if any(_HEX.match(chunk, place - 1) for place in places if place):
            return True
    return False
