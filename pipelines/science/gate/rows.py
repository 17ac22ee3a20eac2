"""Are there rows enough to judge a challenger on?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.messages import GateCheck

if TYPE_CHECKING:
    from pipelines.science.gate.facts import GateFacts, SnapshotFacts
    from pipelines.spec.gate import Gate

LEAST_HELD_OUT = 100
"""Fewer held-out rows of a snapshot than this prove less than folds over all of its rows do."""

LEAST_ROWS = 30
"""Fewer rows (or groups of rows) than this prove nothing, however often they are cut into folds.

With 6 or 12 groups of five rows, equal models were "proven" better in up to 10 % of worlds at a
confidence of 95 % (benchmarks/folds.py).
"""


def check_rows(facts: GateFacts, gate: Gate) -> GateCheck:
    """Check that the rows, or of few groups the groups, are as many as are needed."""
    if facts.snapshot is not None and facts.snapshot.folds:
        return _check_fold_rows(facts, facts.snapshot)
    enough = facts.rows >= gate.min_rows
    words = (
        f"reach the {gate.min_rows} that" if enough else f"are fewer than the {gate.min_rows} that"
    )
    return GateCheck(
        name="rows",
        passed=enough,
        detail=f"{facts.rows} held-out rows {words} gate.min_rows asks for",
        value=float(facts.rows),
        limit=float(gate.min_rows),
        would_pass=(
            ""
            if enough
            else f"{gate.min_rows - facts.rows} held-out rows more (train.holdout), or"
            f" gate.min_rows: {max(facts.rows, 2)}"
        ),
    )


def _check_fold_rows(facts: GateFacts, snapshot: SnapshotFacts) -> GateCheck:
    count, unit = (facts.rows, "rows")
    if snapshot.groups is not None:
        count, unit = min((snapshot.groups, "groups"), (count, unit))
    enough = count >= LEAST_ROWS
    fitted = facts.flags.rows if facts.flags else facts.rows  # of these not all may have a label
    detail = (
        f"{snapshot.why_folds}: both are fitted again over all {fitted} rows ({snapshot.folds})"
        if enough
        else f"{count} {unit} are fewer than {LEAST_ROWS}: nothing can be proven on them"
    )
    return GateCheck(
        name="rows",
        passed=enough,
        detail=detail,
        value=float(count),
        limit=float(LEAST_ROWS),
        would_pass="" if enough else f"{LEAST_ROWS - count} {unit} more",
    )
