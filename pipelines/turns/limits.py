"""How many retrainings there may be: at once and on one day, of all models and of each owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.settings import Settings

EVERYBODY = ""
"""Stands for each owner that has no number of its own."""


@dataclass(frozen=True)
class Limits:
    """The limits that are set; None, and an owner without a number, has none."""

    at_once: int | None = None
    at_once_per_owner: Mapping[str, int] = field(default_factory=dict)
    per_day: int | None = None
    per_day_per_owner: Mapping[str, int] = field(default_factory=dict)

    def at_once_of(self, owner: str) -> int | None:
        """Return how many retrainings of an owner may be under way at once."""
        return self.at_once_per_owner.get(owner, self.at_once_per_owner.get(EVERYBODY))

    def per_day_of(self, owner: str) -> int | None:
        """Return how many retrainings of an owner may begin on one day."""
        return self.per_day_per_owner.get(owner, self.per_day_per_owner.get(EVERYBODY))


def limits_of(settings: Settings) -> Limits:
    """Return the limits that the settings name."""
    return Limits(
        at_once=settings.retrainings_at_once,
        at_once_per_owner=_by_owner(settings.retrainings_at_once_per_owner),
        per_day=settings.retrainings_per_day,
        per_day_per_owner=_by_owner(settings.retrainings_per_day_per_owner),
    )


def _by_owner(text: str | None) -> dict[str, int]:
    """Return the numbers of a text such as `2,pricing=4`."""
    parts = [part.rpartition("=") for part in (text or "").split(",") if part]
    return {owner.strip() or EVERYBODY: int(number) for owner, _, number in parts}
