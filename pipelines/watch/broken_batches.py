"""Which batches of a window show the broken pipe that a check is sure of, and which are mended.

Retrainings learn from batches, so these are looked at even where what was broken is the traffic:
its rows come by another way, and a batch is held only where its own rows show the same sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.load import open_bundle
from pipelines.data.batches import read_plan
from pipelines.errors import TryAgain
from pipelines.incidents.held_batches import admit_mended, held_batches, hold_batch, is_admitted
from pipelines.intervals import SNAPSHOT, iso
from pipelines.plurals import how_many
from pipelines.science.causes.naming import LEAST_ROWS, name_cause
from pipelines.verdicts.explanations import cause_words
from pipelines.watch.batch_rows import batch_rows
from pipelines.watch.champion_look import reference_of
from pipelines.watch.explained_result import told
from pipelines.watch.explained_rows import explained_sides

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef
    from pipelines.intervals import Interval
    from pipelines.ledger import Champion
    from pipelines.messages import DriftRequest
    from pipelines.refs import Ref
    from pipelines.science.causes.cause import Cause
    from pipelines.science.changes.facts import Sample
    from pipelines.watch.champion_look import Observation

MOST_SINGLE = 31
"""Batches of a window that are looked at one by one; of more, all of them are taken together."""
_SHOWN = 5


@dataclass(frozen=True)
class Findings:
    """What a check says of the batches of its window, beside its verdict."""

    broken: list[BatchRef]
    mended: list[BatchRef]

    def reasons(self, model: str) -> list[str]:
        """Return in words what follows for retrainings."""
        if not self.broken:
            return []
        names = [batch.interval.name for batch in self.broken]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        words = (
            f"no retraining learns from {how_many(len(names), 'batch')},"
            f" {', '.join(names[:_SHOWN])}{more}, until a person lets them in"
            f" (`perennial quarantine {model}`)"
        )
        return [words]


NOTHING = Findings([], [])


def look_at_batches(
    context: Context, request: DriftRequest, champion: Champion, found: Observation
) -> Findings:
    """Return which batches of the window are to be held in quarantine, and which are mended.

    A snapshot is one batch and no window of it: none is held. A look that fails holds all batches
    of a window that was made of them.
    """
    ledger, model = context.ports.ledger, context.spec.name
    plan = read_plan(context.ports.store, request.ingest.plan)
    batches = [batch for batch in plan.holdout if batch.interval != SNAPSHOT]
    cause = _sure_break(found)
    held = held_batches(ledger, model)
    newer = [b for b in batches if b.interval.name in held]
    newer = [b for b in newer if held[b.interval.name].batch != b.manifest]
    if not batches or (cause is None and not newer):
        return NOTHING
    of_batches = found.source == "batches"
    try:
        look = _Look.open(context, request, champion)
        if cause is None:
            return Findings([], [b for b in newer if look.is_sound(b)])
        broken = look.find_broken(batches, cause, whole_is_broken=of_batches)
    except (TryAgain, MemoryError):
        raise
    except Exception:
        context.log.warning("the window's batches could not be looked at", exc_info=True)
        broken = batches if of_batches and cause is not None else []
    detail = cause.detail if cause is not None else ""
    return Findings([b for b in broken if not is_admitted(ledger, model, b, detail)], [])


def enter_findings(
    context: Context, findings: Findings, found: Observation, window: Interval, page: Ref
) -> None:
    """Enter into the ledger which batches are held from now on, and which no longer."""
    ledger, model = context.ports.ledger, context.spec.name
    if findings.broken and found.explanation is not None:
        cause = told(found.explanation)["cause"]
        reasons = [cause_words(cause.kind, cause.detail), *cause.evidence]
        for batch in findings.broken:
            hold_batch(ledger, model, batch, cause, reasons, page)
    for batch in findings.mended:
        end = iso(window.end)
        why = f"version {batch.version} shows no broken pipe in the window until {end}"
        admit_mended(ledger, model, batch, why)


def _sure_break(found: Observation) -> Cause | None:
    """Return the broken pipe that an alarm is sure of; None where there is none."""
    explanation = found.explanation
    if explanation is None or not explanation.is_broken or found.decision.verdict != "alarm":
        return None
    return explanation.cause if explanation.cause.sureness == "sure" else None


@dataclass(frozen=True)
class _Look:
    """The rows of the window's batches, and those that the champion learnt."""

    window: Sample
    reference: Sample
    seed: int

    @classmethod
    def open(cls, context: Context, request: DriftRequest, champion: Champion) -> _Look:
        """Read both sides."""
        bundle = open_bundle(context.ports.store, champion.bundle, context.settings)
        baseline = reference_of(context, champion.version, bundle.manifest)
        plan = read_plan(context.ports.store, request.ingest.plan)
        window = request.ingest.window
        assert window is not None  # noqa: S101 -- the step has refused a run without one
        rows = batch_rows(context, plan, window, bundle)
        return cls(*explained_sides(rows, baseline), context.spec.train.seed)

    def find_broken(
        self, batches: list[BatchRef], cause: Cause, *, whole_is_broken: bool
    ) -> list[BatchRef]:
        """Return the batches that show the sign; all of them where none does by itself."""
        whole = whole_is_broken or self._shows(self.window, cause)
        if not whole:
            return []
        if not 1 < len(batches) <= MOST_SINGLE:
            return batches
        return [b for b in batches if self._shows(self._rows_of(b), cause)] or batches

    def is_sound(self, batch: BatchRef) -> bool:
        """Tell whether a batch has enough rows, and no sign of a broken pipe in them."""
        rows = self._rows_of(batch)
        return rows.rows >= LEAST_ROWS and self._cause_of(rows).kind != "broken_upstream"

    def _shows(self, rows: Sample, cause: Cause) -> bool:
        mine = self._cause_of(rows)
        return (mine.kind, mine.detail) == (cause.kind, cause.detail) and mine.sureness == "sure"

    def _cause_of(self, rows: Sample) -> Cause:
        return name_cause(rows, self.reference, seed=self.seed)

    def _rows_of(self, batch: BatchRef) -> Sample:
        """Return the rows whose events lie in a batch's interval; all where they have no times."""
        times: np.ndarray[Any, Any] | None = self.window.times
        if times is None:
            return self.window
        start, end = (
            np.datetime64(moment.replace(tzinfo=None), "us")
            for moment in (batch.interval.start, batch.interval.end)
        )
        return self.window.take(np.flatnonzero((times >= start) & (times < end)))
