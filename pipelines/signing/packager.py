"""Which key the packager may sign with now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import KeyUnusable
from pipelines.signing.keys import SHOWN, read_signing_key
from pipelines.signing.trust import Trust

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.settings import Settings
    from pipelines.signing.keys import SigningKey

_NEW = "make a new one: `perennial keys new`, in containers `make signing-key` (docs/signing.md)."


def usable_key(settings: Settings, now: datetime) -> SigningKey:
    """Return the signing key.

    Raises KeyUnusable where it is missing or no key, and where the server would not believe it:
    nobody trusts it, or it is expired or retired.
    """
    key = read_signing_key(settings)
    if key is None:
        raise KeyUnusable(
            f"There is no signing key in {settings.signing_key_file}.",
            remedy=f"start the stack once (`make up`), or {_NEW}",
        )
    trusted = Trust(settings.trust).find(key.id)
    if trusted is None:
        raise KeyUnusable(
            f"The signing key {key.id[:SHOWN]} is not among the trusted ones in {settings.trust}.",
            remedy="start the stack again, which makes it known there (docs/signing.md).",
        )
    reason = trusted.why_not(now)
    if reason:
        raise KeyUnusable(f"Nothing can be signed: {reason}.", remedy=_NEW)
    return key


def key_for_packaging(settings: Settings, now: datetime) -> SigningKey | None:
    """Return the key to sign a new bundle with.

    Where no signature is required, None where there is no usable key. Raises KeyUnusable where one
    is required.
    """
    try:
        return usable_key(settings, now)
    except KeyUnusable:
        if settings.require_signature:
            raise
        return None
