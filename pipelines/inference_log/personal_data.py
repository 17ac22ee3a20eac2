"""Personal data in the inference log.

A keyed hash instead of the value, so that equal values stay equal and nobody can guess them.

HMAC-SHA256 with a key that is made once and never leaves its file. Whoever has the key can test a
guess; without it a hash tells nothing, not even of a short text. A lost key makes the old hashes
and the new ones differ: nothing else is lost.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import tempfile
from functools import cached_property
from pathlib import Path

from pipelines.errors import Corrupted
from pipelines.private_files import make_folder

KEY_BYTES = 32
_OTHERS = 0o077


class PersonalKey:
    """The key in the file `path`; read, or made with mode 600, when it is first needed.

    All processes get the same one.
    """

    def __init__(self, path: Path) -> None:
        """Remember where the key is."""
        self._path = path

    # A flag may be a personal value.
    def hash_of(self, value: str | float | bool) -> str:  # noqa: FBT001
        """Return the hash of a value as 64 hex digits; a whole number hashes alike as 3 and as 3.0.

        Raises Corrupted where the key's file is no key or may be read by others, OSError where it
        can neither be read nor made.
        """
        return hmac.digest(self._secret, _text(value).encode(), "sha256").hex()

    @cached_property
    def _secret(self) -> bytes:
        if not self._path.exists():
            _make(self._path)
        secret = self._path.read_bytes()
        if len(secret) != KEY_BYTES:
            remedy = (
                "restore it from a backup; or delete it, and a new one is made (hashes before and"
                " after then differ)."
            )
            raise Corrupted(f"The file {self._path} is no key of {KEY_BYTES} bytes.", remedy=remedy)
        if self._path.stat().st_mode & _OTHERS:
            raise Corrupted(
                f"The key {self._path} may be read by others than its owner.",
                remedy=f"chmod 600 {self._path}",
            )
        return secret


def _text(value: str | float | bool) -> str:  # noqa: FBT001 -- likewise
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _make(path: Path) -> None:
    """Make the key by linking a finished file.

    Of several processes, one succeeds and all read the same key.
    """
    make_folder(path.parent)
    # mkstemp's files have mode 600
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
