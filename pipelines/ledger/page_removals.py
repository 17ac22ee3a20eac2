"""That Evidently's pages of looks were taken away: the checks that they belonged to stay."""

from __future__ import annotations

from typing import Literal

from pipelines.ledger.decision import Decision
from pipelines.plurals import how_many


class PageRemoval(Decision):
    """Evidently's pages of the looks `runs` were removed: they were older than so many days.

    What the checks found stays in their own entries; their pages and figures stay too.
    """

    kind: Literal["page_removal"] = "page_removal"
    runs: list[str]
    days: int

    @property
    def words(self) -> str:
        """It in words, as a list of decisions shows it."""
        pages = how_many(len(self.runs), "look")
        return f"Evidently's pages of {pages} removed, which were older than {self.days} days"
