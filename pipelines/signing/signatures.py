"""Signatures beside bundles, made and verified over bytes that nobody has parsed.

What is signed is a statement: which bundle (the SHA-256 of its manifest, which holds the SHA-256 of
every file), of which model and which version. Whoever verifies makes the statement from what it was
asked to load, so nothing of a signature is believed but that it fits.

Stored format, version 1: the entry `signatures/<the bundle's SHA-256>/<the key's id>`, one line of
`perennial-signature 1 ed25519 <the signature in base64>`. Several keys may sign one bundle.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

from pipelines.errors import BadData, Corrupted, Untrusted
from pipelines.refs import canonical
from pipelines.signing.keys import SHOWN, SigningKey, is_signed
from pipelines.signing.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pipelines.refs import Ref
    from pipelines.settings import Settings
    from pipelines.signing.trust import TrustedKey
    from pipelines.store.port import Store

SIGNATURES: Final = "signatures"
MOST_SHOWN = 3
"""So many unknown keys are named."""

_LINE = re.compile(rb"perennial-signature ([0-9]{1,4}) ([a-z0-9-]{1,32}) ([A-Za-z0-9+/=]{1,200})")
_ID = re.compile(r"[0-9a-f]{64}")
_REMEDY = (
    "`perennial keys list` shows what is trusted, `perennial keys sign` signs what the ledger has"
    " crowned (docs/signing.md)."
)


def statement(model: str, version: str, bundle: Ref) -> bytes:
    """Return the bytes that are signed: which bundle, of which model and version."""
    return canonical(
        {
            "algorithm": "ed25519",
            "bundle": bundle.sha256,
            "format": 1,
            "kind": "perennial.bundle",
            "model": model,
            "version": version,
        }
    )


def signature_key(bundle: Ref, key_id: str) -> str:
    """Return the store's key of a bundle's signature by a key."""
    return f"{SIGNATURES}/{bundle.sha256}/{key_id}"


def signature_keys(store: Store, bundle: Ref) -> list[str]:
    """Return the store's keys of all signatures of a bundle, of trusted and of other keys."""
    names = store.keys(f"{SIGNATURES}/{bundle.sha256}")
    return [name for name in names if _ID.fullmatch(name.rsplit("/", 1)[-1])]


def sign(store: Store, key: SigningKey, model: str, version: str, bundle: Ref) -> None:
    """Put the key's signature beside the bundle; what else stands in its place is replaced."""
    place = signature_key(bundle, key.id)
    text = base64.b64encode(key.sign(statement(model, version, bundle)))
    data = b"perennial-signature 1 ed25519 %s" % text
    if not store.publish(place, data) and store.read(place) != data:
        store.remove("entries", place)
        store.publish(place, data)


def verify(
    stores: Sequence[Store], trust: Trust, model: str, version: str, bundle: Ref, now: datetime
) -> str:
    """Return the id of a trusted key that signed this bundle as this version of this model.

    Signatures are looked for in all the stores. Nothing of the bundle is read. Raises Untrusted,
    which says why none of them counts.
    """
    signed, reasons = statement(model, version, bundle), []
    try:
        ids = trust.ids()
    except BadData as error:
        raise _refusal(model, version, bundle, [error.message.rstrip(".")]) from error
    for id_ in ids:
        for store in stores:
            reason = _why_not(store, trust, id_, bundle, signed, now)
            if reason == "":
                return id_
            if reason is not None and reason not in reasons:
                reasons.append(reason)
    raise _refusal(model, version, bundle, reasons or [_who_signed(stores, ids, bundle)])


def verify_where_required(
    settings: Settings,
    stores: Sequence[Store],
    model: str,
    version: str,
    bundle: Ref,
    now: datetime,
) -> None:
    """Verify the bundle's signature where the settings require one. Raises Untrusted."""
    if settings.require_signature:
        verify(stores, Trust(settings.trust), model, version, bundle, now)


def _why_not(
    store: Store, trust: Trust, id_: str, bundle: Ref, signed: bytes, now: datetime
) -> str | None:
    """Return why the key's signature does not count; "" where it does, None where there is none."""
    try:
        data = store.read(signature_key(bundle, id_))
        key = trust.find(id_)
    except (Corrupted, BadData) as error:
        return error.message.rstrip(".")
    if data is None or key is None:
        return None
    return _fault(data, key, signed) or key.why_not(now)


def _fault(data: bytes, key: TrustedKey, signed: bytes) -> str:
    """Return what is wrong with a stored signature, "" where the key made it of these bytes."""
    by, line = f"the signature by {key.id[:SHOWN]}", _LINE.fullmatch(data)
    if line is None:
        return f"{by} is cut off or is none"
    if (line[1], line[2]) != (b"1", b"ed25519"):
        form = f"{line[2].decode()}, format {line[1].decode()}"
        return f"{by} is of the kind {form}, not ed25519, format 1"
    try:
        signature = base64.b64decode(line[3], validate=True)
    except (binascii.Error, ValueError):
        return f"{by} is cut off or is none"
    if not is_signed(key.public_bytes, signature, signed):
        return f"{by} is not of this bundle, model and version"
    return ""


def _refusal(model: str, version: str, bundle: Ref, reasons: list[str]) -> Untrusted:
    return Untrusted(
        f"The bundle {bundle.sha256[:SHOWN]} of {model} {version} is not served:"
        f" {'; '.join(reasons)}.",
        remedy=_REMEDY,
    )


def _who_signed(stores: Iterable[Store], trusted: list[str], bundle: Ref) -> str:
    """Return in words that nobody who is trusted signed the bundle, and who else did."""
    places = {place for store in stores for place in signature_keys(store, bundle)}
    ids = sorted({place.rsplit("/", 1)[-1][:SHOWN] for place in places})
    if not ids:
        return "it has no signature"
    names = ", ".join(ids[:MOST_SHOWN]) + (" …" if len(ids) > MOST_SHOWN else "")
    who = "they are not trusted here" if trusted else "no key is trusted here"
    return f"it is signed by the keys {names}, and {who}"
