"""Checks of what bundles are signed with: the packager's key, the trusted keys, a champion's
signature.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.errors import Untrusted
from pipelines.ops.findings import Finding, ok, problem, warning
from pipelines.plurals import how_many
from pipelines.signing.keys import SHOWN
from pipelines.signing.packager import usable_key
from pipelines.signing.signatures import verify
from pipelines.signing.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.ledger import Champion
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings

EXPIRES_SOON = timedelta(days=14)
_NEW = "`perennial keys new`, in containers `make signing-key` (docs/signing.md)."


def check_signing_keys(settings: Settings) -> Iterator[Finding]:
    """The packager can sign, and the server believes somebody, also in two weeks."""
    what, now = "signing keys", datetime.now(UTC)
    if not settings.require_signature:
        yield ok(what, "no signature is required (PERENNIAL_REQUIRE_SIGNATURE)")
        return
    trusted = [key for key in Trust(settings.trust).list_keys() if key.state(now) == "trusted"]
    if not trusted:
        yield problem(what, f"No key is trusted in {settings.trust}: nothing can be served.", _NEW)
        return
    for key in trusted:
        if key.expires_within(EXPIRES_SOON, now):
            yield warning(
                what,
                f"{key.id[:SHOWN]} expires at {key.not_after:%Y-%m-%d %H:%M} UTC; what it alone"
                " has signed is not loaded after that.",
                _NEW,
            )
    # Raises KeyUnusable, which says what the packager lacks, and what to do.
    signing_key = usable_key(settings, now)
    yield ok(what, f"{signing_key.id[:SHOWN]} signs; trusted: {how_many(len(trusted), 'key')}")


def check_signature(
    settings: Settings, ports: ConfiguredPorts, model: str, champion: Champion
) -> Iterator[Finding]:
    """The champion's bundle would be loaded if the server were started now."""
    if not settings.require_signature:
        return
    what, now = f"{model}: signature", datetime.now(UTC)
    trust, bundle = Trust(settings.trust), champion.bundle
    try:
        key_id = verify([ports.store], trust, model, champion.version, bundle, now)
    except Untrusted as error:
        yield problem(what, error.message, error.remedy)
        return
    yield ok(what, f"by the key {key_id[:SHOWN]}")
