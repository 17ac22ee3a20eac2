"""Drawings of a replay: the metric over time under each policy, and what each did when."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING

from pipelines.comparison.scales import Scale, scale_of
from pipelines.comparison.svg import RIGHT, Plot, svg, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.replay.outcome import BatchOfPolicy, ReplayOutcome

CURVES = 6
"""Lines that can be told apart by their colour; more begin anew, dashed."""
WIDTH = 860
_TICKS = 9
_ROW, _NAME = 22, 190


@dataclass(frozen=True)
class _Batches(Scale):
    """Batches by their place, a few of them named."""

    def ticks(self) -> list[tuple[float, str]]:
        """Return the places that are named."""
        step = max(1, -(-len(self.names) // _TICKS))
        return [(float(i), n) for i, n in enumerate(self.names) if i % step == 0]


def over_time(outcome: ReplayOutcome) -> str:
    """Return the live metric of each policy by batch, where it retrained and where it did not."""
    values = [b.score for p in outcome.policies for b in p.batches if b.score is not None]
    if len(outcome.intervals) < 2 or not values:  # noqa: PLR2004 -- a line has two ends
        return ""
    plot = Plot(
        _places(outcome), scale_of(values), x_title="batch", y_title=outcome.metric, width=WIDTH,
        height=320,
    )  # fmt: skip
    _draw(plot, outcome, [[b.score for b in p.batches] for p in outcome.policies])
    return plot.render(f"{outcome.metric} of {outcome.model} by batch under each policy")


def regret_over_time(outcome: ReplayOutcome) -> str:
    """Return the regret of each policy, summed up batch by batch."""
    sums = [
        list(accumulate(0.0 if b.regret is None else b.regret for b in p.batches))
        for p in outcome.policies
    ]
    if len(outcome.intervals) < 2:  # noqa: PLR2004 -- as above
        return ""
    plot = Plot(
        _places(outcome),
        scale_of([0.0, *(v for each in sums for v in each)]),
        x_title="batch",
        y_title="regret so far",
        width=WIDTH,
        height=240,
    )
    _draw(plot, outcome, sums)
    return plot.render(f"regret of {outcome.model} summed by batch under each policy")


def _places(outcome: ReplayOutcome) -> Scale:
    names = tuple(interval.name[:10] for interval in outcome.intervals)
    return _Batches(0, float(max(len(names) - 1, 1)), names=names)


def _draw(plot: Plot, outcome: ReplayOutcome, lines: Sequence[Sequence[float | None]]) -> None:
    for number, (policy, values) in enumerate(zip(outcome.policies, lines, strict=True)):
        tone = f"line curve{number % CURVES}" + (" dashed" if number >= CURVES else "")
        for part in _parts(values):
            plot.line([x for x, _ in part], [y for _, y in part], tone)
        for place, (batch, value) in enumerate(zip(policy.batches, values, strict=True)):
            if value is not None and batch.retrained:
                says = f"{policy.name}, {batch.batch}: {_did(batch)}, {value:.4g}"
                plot.dot(place, value, says, size=3, tone=f"dot d{number % CURVES}")


def _parts(values: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    """Return the stretches between batches that were not scored."""
    parts: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            parts.append([])
        else:
            parts[-1].append((float(place), value))
    return [part for part in parts if part]


def decisions(outcome: ReplayOutcome) -> str:
    """Return what each policy did before each batch: a line of marks for each."""
    count = len(outcome.intervals)
    room = (WIDTH - _NAME - RIGHT) / max(count, 1)
    parts = []
    for row, policy in enumerate(outcome.policies):
        middle = _ROW * (row + 0.5)
        parts.append(text(_NAME - 8, middle + 4, policy.name[:30], anchor="end"))
        for place, batch in enumerate(policy.batches):
            across = _NAME + room * (place + 0.5)
            parts.append(_mark(across, middle, min(room / 2, 6), batch))
    names = _places(outcome).ticks()
    height = _ROW * len(outcome.policies) + 24
    for number, name in names:
        at = _NAME + room * (number + 0.5)
        parts.append(text(at, height - 6, name, anchor="middle", tone="title"))
    return svg(WIDTH, height, parts, "what each policy did before each batch")


def _mark(across: float, middle: float, size: float, batch: BatchOfPolicy) -> str:
    """Return a mark: full where the new version serves, hollow where it was refused, a cross where
    there was none, a bar for an alarm, a dot for nothing.
    """
    says = f"<title>{escape(f'{batch.batch}: {_did(batch)}')}</title>"
    at = f'cx="{across:.1f}" cy="{middle:.1f}"'
    if batch.failed:
        low, high = across - size, across + size
        cross = (
            f"M{low:.1f} {middle - size:.1f}L{high:.1f} {middle + size:.1f}"
            f"M{low:.1f} {middle + size:.1f}L{high:.1f} {middle - size:.1f}"
        )
        return f'<path class="failed" d="{cross}">{says}</path>'
    if batch.alarm:
        return (
            f'<rect class="alarm" x="{across - size / 2:.1f}" y="{middle - size:.1f}"'
            f' width="{size:.1f}" height="{2 * size:.1f}">{says}</rect>'
        )
    if batch.refused:
        return f'<circle class="refused" {at} r="{size:.1f}">{says}</circle>'
    if batch.retrained:
        return f'<circle class="dot" {at} r="{size:.1f}">{says}</circle>'
    return f'<circle class="nothing" {at} r="1.5">{says}</circle>'


def _did(batch: BatchOfPolicy) -> str:
    if batch.failed:
        return f"retrained, and no challenger was made: {batch.failed[:200]}"
    if batch.refused:
        return f"retrained, and refused: {batch.refused[:200]}"
    if batch.retrained:
        return f"retrained, and the new version serves ({batch.why})"
    alarm = "alarm, " if batch.alarm else ""
    return f"{alarm}not retrained: {batch.why}"
