"""The HTML page of a verdict.

Self-contained, everything escaped (names and reasons carry words from data).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.plurals import how_many
from pipelines.templates import fill
from pipelines.verdicts import words
from pipelines.verdicts.intervals_plot import draw_intervals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.messages import CheckFindings, GateResult, TrainResult

_TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Details:
    """What was measured beside the verdict.

    `findings` are what the checks looked at part by part. `looks_at` is what the challenger looks
    at: input, loss and interval, and what they are; None where that was not measured.
    """

    findings: Sequence[CheckFindings] = ()
    looks_at: tuple[list[list[str]], str] | None = None


def render(
    model: str,
    run: str,
    result: GateResult,
    candidates: Sequence[TrainResult],
    *,
    metric: str,
    as_of: datetime,
    because: str,
    details: Details | None = None,
) -> str:
    """Return the page; the same verdict gives the same page.

    `candidates` are shown by `metric`, by which cross-validation has chosen among them.
    """
    details = details or Details()
    return fill(
        _TEMPLATE,
        title=f"Verdict on {model}",
        run=run,
        j=result,
        candidates=candidates,
        metric=metric,
        scored=lambda name, value: words.with_unit(value, result.units.get(name, "")),
        own=[name for name in result.units if name != metric],
        threshold=_threshold(result),
        sampled=words.sampled(result.sampled) if result.sampled else "",
        promoted=result.verdict == "promote",
        who=(
            f"the challenger {words.challenger(result.candidate, result.version)}"
            if result.candidate
            else "there is no challenger"
        ),
        opponent=words.opponent(result),
        as_of=iso(as_of),
        because=because,
        looks_at=details.looks_at,
        labels=_labels(candidates),
        findings=[(found, draw_intervals(found)) for found in details.findings],
        figure=lambda value: "" if value is None else f"{value:.6g}",
        learns_without=result.threshold is not None and result.threshold.rate is not None,
    )


def _labels(candidates: Sequence[TrainResult]) -> list[str]:
    """Return in words which rows have no label; but those of an anomaly model nothing uses them."""
    waiting = max((c.rows_waiting for c in candidates), default=0)
    missing = max((c.rows_without_label for c in candidates), default=0)
    texts = [f"{how_many(waiting, 'row waits', 'rows wait')} for their label"]
    texts.append(f"{how_many(missing, 'row has', 'rows have')} no label though it is due")
    return [text for text, number in zip(texts, (waiting, missing), strict=True) if number]


def _threshold(result: GateResult) -> str:
    """Return in words above which answer the challenger decides; empty where nobody asked."""
    threshold = result.threshold
    if threshold is None:
        return ""
    if threshold.rate is not None:
        return (
            f"It flags a row whose score is above {threshold.value:g}; the spec promises to flag"
            f" {threshold.rate:.3g} of the rows."
        )
    if not threshold.chosen_for:
        return f"It decides for the positive class above {threshold.value:g}, as the spec says."
    name = threshold.chosen_for
    unit = result.units.get(name, "")
    return (
        f"It decides for the positive class above {threshold.value:g}, chosen for {name} on"
        f" {threshold.rows:,} out-of-fold rows ({threshold.positives:,} positive):"
        f" {words.with_unit(threshold.score, unit)} there, against"
        f" {words.with_unit(threshold.default_score, unit)} at 0.5. The rows that chose it flatter"
        " it; the held-out rows judge."
    )
