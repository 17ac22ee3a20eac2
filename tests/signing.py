"""Keys that sign bundles, in a state of a test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.signing.keys import make_signing_key
from pipelines.signing.trust import Trust

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings
    from pipelines.signing.keys import SigningKey

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def trusted_key(
    settings: Settings, now: datetime = NOW, not_after: datetime | None = None
) -> SigningKey:
    """Make the packager's key and trust it."""
    key = make_signing_key(settings.signing_key_file, replace=True)
    Trust(settings.trust).add(key, now, not_after)
    return key


def other_key(folder: Path, name: str = "other") -> SigningKey:
    """Make a key that is nobody's here."""
    return make_signing_key(folder / name)
