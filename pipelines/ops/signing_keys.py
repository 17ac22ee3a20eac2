"""The keys that sign bundles: the first one, a new one, one that retires, signing again.

Whatever makes a new key signs with it what the ledger has crowned, before the key is trusted: so
cut off anywhere it can be made again, and no champion is left without a signature that counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipelines.errors import RequestError, Untrusted
from pipelines.ledger import Crown
from pipelines.ledger.sql import SqlLedger
from pipelines.locks import hold
from pipelines.signing.keys import make_signing_key, read_signing_key
from pipelines.signing.packager import usable_key
from pipelines.signing.signatures import sign, verify
from pipelines.signing.trust import Trust

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator
    from datetime import datetime

    from pipelines.ledger import Champion
    from pipelines.refs import Ref
    from pipelines.settings import Settings
    from pipelines.signing.keys import SigningKey
    from pipelines.signing.trust import TrustedKey
    from pipelines.store.port import Store


class Crowned(NamedTuple):
    """A version that serves or has served, and its bundle."""

    model: str
    version: str
    bundle: Ref


def begin(settings: Settings, store: Store, now: datetime) -> TrustedKey | None:
    """See to it that there is a signing key and that it is trusted; None where it was so already.

    What the ledger has crowned before is signed then. A key that was retired stays so.
    """
    with _alone(settings):
        key = read_signing_key(settings) or make_signing_key(settings.signing_key_file)
        if Trust(settings.trust).find(key.id) is not None:
            return None
        return _introduce(settings, store, key, now)


def new_key(
    settings: Settings, store: Store, now: datetime, not_after: datetime | None = None
) -> TrustedKey:
    """Put a new signing key in the place of the present one, which stays trusted.

    Raises RequestError where the key stands in the environment, and nobody here can change it.
    """
    if settings.signing_key:
        raise RequestError(
            "The signing key stands in the setting PERENNIAL_SIGNING_KEY, which nothing here can"
            " change.",
            remedy="on the server: `make signing-key`, then `docker compose up -d`.",
        )
    with _alone(settings):
        draft = settings.signing_key_file.with_name("signing_key.next")
        key = make_signing_key(draft)
        trusted = _introduce(settings, store, key, now, not_after)
        draft.replace(settings.signing_key_file)
    return trusted


def _alone(settings: Settings) -> contextlib.AbstractContextManager[object]:
    """Hold off whoever else would change the signing key."""
    return hold(
        settings.signing_key_file.with_suffix(".lock"),
        "The signing key is being changed.",
        seconds=settings.lock_timeout_seconds,
    )


def _introduce(
    settings: Settings,
    store: Store,
    key: SigningKey,
    now: datetime,
    not_after: datetime | None = None,
) -> TrustedKey:
    for crowned in crowned_bundles(settings):
        sign(store, key, *crowned)
    return Trust(settings.trust).add(key, now, not_after)


def sign_crowned(settings: Settings, store: Store, now: datetime) -> list[Crowned]:
    """Sign with the present key every bundle that the ledger has crowned, and return them.

    Raises KeyUnusable where the key is missing or does not count.
    """
    key = usable_key(settings, now)
    bundles = list(crowned_bundles(settings))
    for crowned in bundles:
        sign(store, key, *crowned)
    return bundles


def crowned_bundles(settings: Settings) -> Iterator[Crowned]:
    """Yield what serves or has served, once each, by the ledger, whose chain is checked first."""
    ledger = _ledger(settings)
    if ledger is None:
        return
    ledger.verify()
    found = {}
    for entry in ledger.entries(kind="champion"):
        crown = entry.read(Crown)
        found[entry.model, crown.version, crown.bundle.sha256] = crown.bundle
    for (model, version, _), bundle in found.items():
        yield Crowned(model, version, bundle)


def champions_without(settings: Settings, store: Store, now: datetime) -> dict[str, str]:
    """Return the models whose champion's bundle would not be loaded now, each with the reason."""
    ledger, reasons = _ledger(settings), {}
    if ledger is None:
        return {}
    for model in sorted({entry.model for entry in ledger.entries(kind="champion")}):
        champion: Champion | None = ledger.champion(model)
        if champion is None:
            continue
        try:
            verify([store], Trust(settings.trust), model, champion.version, champion.bundle, now)
        except Untrusted as error:
            reasons[model] = error.message
    return reasons


def _ledger(settings: Settings) -> SqlLedger | None:
    """Return the ledger; None where nothing was decided yet. Nothing is made."""
    if SqlLedger(settings.ledger_url, migrate=False).revision() is None:
        return None
    return SqlLedger(settings.ledger_url)
