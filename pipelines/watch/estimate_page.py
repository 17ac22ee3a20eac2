"""The part of a window's page that shows its estimate beside promise and truth of earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.templates import fill
from pipelines.verdicts.estimates import BLIND, tell_estimate, tell_score
from pipelines.watch.estimate_record import EstimateRecord, KeptEstimate

if TYPE_CHECKING:
    from pipelines.estimates import ScoredEstimate, WindowEstimate
    from pipelines.intervals import Interval

_TEMPLATE = Path(__file__).with_name("estimate_page.html")
_MOST = 20
"""Windows that are drawn, the newest."""
_LEFT, _STEP, _TOP, _BOTTOM = 80, 32, 12.0, 138.0


def render_estimate(
    estimate: WindowEstimate | None,
    record: EstimateRecord,
    window: Interval,
    promised: float | None,
) -> str:
    """Return the part as HTML; "" without an estimate.

    `record` holds the windows before this one, `promised` is what the champion reached on its
    holdout.
    """
    if estimate is None:
        return ""
    truths = {s.window: s for s in [*record.scored, *estimate.scored]}
    windows = [*record.kept, KeptEstimate(window, estimate, promised)][-_MOST:]
    marks, ends = _marks(windows, truths)
    return fill(
        _TEMPLATE,
        estimate=estimate,
        words=tell_estimate(estimate),
        blind=BLIND,
        scores=[tell_score(scored) for scored in estimate.scored],
        marks=marks,
        top=f"{ends[1]:.3g}",
        bottom=f"{ends[0]:.3g}",
        width=_LEFT + _STEP * (_MOST + 1),
    )


def _marks(
    windows: list[KeptEstimate], truths: dict[Interval, ScoredEstimate]
) -> tuple[list[dict[str, Any]], tuple[float, float]]:
    """Return where the parts of each window stand, and the least and greatest value."""
    drawn = []
    for each in windows:
        scored = truths.get(each.window)
        said = scored or each.estimate
        numbers = {
            "low": said.low,
            "value": said.value,
            "high": said.high,
            "promised": each.promised,
            "truth": scored.truth if scored else None,
        }
        drawn.append((each, numbers, scored))
    if not any(n["value"] is not None or n["truth"] is not None for _, n, _ in drawn):
        return [], (0.0, 0.0)
    values = [v for _, numbers, _ in drawn for v in numbers.values() if v is not None]
    low, high = min(values), max(values)

    def at(value: float | None) -> float | None:
        if value is None:
            return None
        share = (value - low) / (high - low) if high > low else 0.5
        return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)

    marks = []
    for place, (each, numbers, scored) in enumerate(drawn):
        end = f"{each.window.end:%Y-%m-%d %H:%M}"
        words = tell_score(scored) if scored else f"{end}: {tell_estimate(each.estimate)}"
        missed = scored is not None and not scored.low <= scored.truth <= scored.high
        mark = {name: at(value) for name, value in numbers.items()}
        marks.append({**mark, "x": _LEFT + _STEP * place, "words": words, "missed": missed})
    return marks, (low, high)
