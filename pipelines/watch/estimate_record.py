"""The estimates that earlier checks left in the ledger, and how they came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.ledger import DriftCheck

if TYPE_CHECKING:
    from pipelines.estimates import ScoredEstimate, WindowEstimate
    from pipelines.intervals import Interval
    from pipelines.ledger import Ledger


@dataclass(frozen=True)
class KeptEstimate:
    """A window's estimate, and what the champion had promised."""

    window: Interval
    estimate: WindowEstimate
    promised: float | None


REMEMBERED = 12
"""How many windows' time back a truth counts, whichever champion it was of: where estimates are
switched off there is none to score, and without an end they would never come back."""


@dataclass(frozen=True)
class EstimateRecord:
    """One champion's estimates of earlier windows, oldest first, the newest of each window.

    `scored` are those whose truth is known, as they were when it became known, of the last windows'
    time. `others` are the scored ones of other champions, of other windows: what makes intervals
    miss is mostly the world, and not the version.
    """

    kept: list[KeptEstimate]
    scored: list[ScoredEstimate]
    others: list[ScoredEstimate]

    @property
    def waiting(self) -> list[KeptEstimate]:
        """Those that said something, and of which the truth is not known."""
        known = {each.window for each in self.scored}
        return [k for k in self.kept if k.window not in known and k.estimate.value is not None]


def read_record(ledger: Ledger, model: str, version: str, window: Interval) -> EstimateRecord:
    """Return what a version's checks of windows that ended before this one have left, and how the
    model's estimates came out.
    """
    since = window.end - REMEMBERED * (window.end - window.start)
    kept: dict[Interval, KeptEstimate] = {}
    scored: dict[Interval, ScoredEstimate] = {}
    others: dict[Interval, ScoredEstimate] = {}
    for entry in ledger.entries(model, "drift"):
        check = entry.decision
        if not isinstance(check, DriftCheck) or not check.estimate:
            continue
        if check.champion == version and check.window.end < window.end:
            kept[check.window] = KeptEstimate(check.window, check.estimate, check.expected)
        for each in check.estimate.scored:
            if since < each.window.end < window.end:
                found = scored if check.champion == version else others
                found.setdefault(each.window, each)
    return EstimateRecord(
        sorted(kept.values(), key=lambda k: k.window.end),
        sorted(scored.values(), key=lambda s: s.window.end),
        [each for span, each in others.items() if span not in scored],
    )
