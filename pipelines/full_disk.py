"""How a full disk is known: by an error of the file system, or by what a program says of it."""

from __future__ import annotations

import errno

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WORDS = ("no space left", "disk quota", "disk is full")


def is_full(cause: BaseException | str) -> bool:
    """Tell whether there was no room: of an error, or of the words of another program."""
    if isinstance(cause, str):
        text = cause.lower()
        return any(words in text for words in _WORDS)
    return isinstance(cause, OSError) and cause.errno in _FULL
