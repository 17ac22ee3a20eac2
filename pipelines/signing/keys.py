"""The key by which the packager signs: an Ed25519 key (RFC 8032), and its public half.

It stands in a file of its own (mode 600) or, in a container, in the environment, both times as the
base64 text of its 32 bytes. No message, no result and no stored object ever holds it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import KeyUnusable
from pipelines.private_files import OTHERS, make_folder
from pipelines.refs import sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from pipelines.settings import Settings

KEY_BYTES = 32
SHOWN = 16
"""So many digits of a key's id are shown; commands take these, too."""


class SigningKey:
    """A private key. It shows only its id, which is the SHA-256 of its public half."""

    def __init__(self, seed: bytes) -> None:
        """Remember the 32 bytes of the key."""
        self._seed = seed

    def __repr__(self) -> str:
        """Show the id."""
        return f"SigningKey({self.id[:SHOWN]})"

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        # Imported where it is needed: most processes neither sign nor verify.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed)

    @cached_property
    def public(self) -> bytes:
        """The public half: 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """The SHA-256 of the public half, in hex."""
        return sha256(self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature; the same message has the same one."""
        return self._private.sign(message)


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether the key with this public half signed the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_signing_key(settings: Settings) -> SigningKey | None:
    """Return the packager's key, or None where there is none.

    Raises KeyUnusable where it is no key, or others may read it.
    """
    if settings.signing_key:
        return SigningKey(_seed(settings.signing_key, "PERENNIAL_SIGNING_KEY"))
    path = settings.signing_key_file
    try:
        text, mode = path.read_text(encoding="ascii", errors="replace"), path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyUnusable(
            f"The signing key {path} cannot be read: {error.strerror}.",
            remedy="let its owner package, or see docs/signing.md.",
        ) from error
    if mode & OTHERS:
        raise KeyUnusable(
            f"The signing key {path} may be read by others than its owner.",
            remedy=f"chmod 600 {path}; and `perennial keys new`, if somebody may have read it.",
        )
    return SigningKey(_seed(text.strip(), str(path)))


def make_signing_key(path: Path, *, replace: bool = False) -> SigningKey:
    """Make a key in the file (mode 600) and return it.

    Unless it shall `replace` the one that is there, that one is kept and returned.
    """
    seed = secrets.token_bytes(KEY_BYTES)
    make_folder(path.parent)
    # mkstemp's files have mode 600
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(seed) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(name).replace(path)
            return SigningKey(seed)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return SigningKey(_seed(path.read_text(encoding="ascii").strip(), str(path)))


def _seed(text: str, where: str) -> bytes:
    """Return the key's bytes. Raises KeyUnusable, which does not show the text."""
    try:
        # `make secrets` writes the letters that are safe in a URL.
        seed = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != KEY_BYTES:
        raise KeyUnusable(
            f"{where} holds no signing key: that is {KEY_BYTES} bytes in base64.",
            remedy="make a new one: `perennial keys new`, in containers `make signing-key`.",
        )
    return seed
