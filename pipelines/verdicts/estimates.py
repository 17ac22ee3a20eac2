"""A metric that is estimated before labels are known, in the words that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.estimates import ScoredEstimate, WindowEstimate

HOW = {
    "confidence": "by the model's own probabilities, as true as they were on its held-out rows",
    "weighting": "by its held-out rows, weighted to resemble the window's",
}
BLIND = (
    "It holds where rows like these have the outcomes that they had: a changed concept it cannot"
    " see. Where days are much like the day before the interval is too narrow. It decides nothing."
)


def tell_estimate(estimate: WindowEstimate) -> str:
    """Return in a sentence what is expected, or why nothing is."""
    if estimate.switched_off:
        return f"Switched off: {estimate.switched_off}."
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return f"It cannot be said: {estimate.untold}."
    return (
        f"{estimate.metric} of these {estimate.rows:,} rows is expected to be {estimate.value:.4g},"
        f" between {estimate.low:.4g} and {estimate.high:.4g}"
        f" ({100 * estimate.confidence:.3g}% interval by days), {HOW[estimate.method]}."
    )


def tell_score(scored: ScoredEstimate) -> str:
    """Return in a sentence how an estimate came out."""
    inside = scored.low <= scored.truth <= scored.high
    return (
        f"the window that ended on {scored.window.end:%Y-%m-%d %H:%M}: expected"
        f" {scored.low:.4g} to {scored.high:.4g}, it was {scored.truth:.4g}"
        f" ({'inside' if inside else 'outside'})"
    )


def estimate_lines(estimate: WindowEstimate | None) -> list[str]:
    """Return a line for the estimate and one for each that was scored; none without one."""
    if estimate is None:
        return []
    return [
        f"before labels: {tell_estimate(estimate)} {BLIND}",
        *(f"truth: {tell_score(scored)}" for scored in estimate.scored),
    ]
