"""What a spec says of proofs: how often the champion is built again."""

from __future__ import annotations

from pipelines.refs import Value
from pipelines.spec.drift import Cron


class Prove(Value):
    """When the champion is built again from what it was made from, and compared with itself."""

    schedule: Cron | None = "weekly"
    """When, by the clock; null: only when somebody starts it."""
