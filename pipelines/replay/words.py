"""What a replay advises, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.replay.outcome import Interval95, ReplayOutcome


def advice_lines(outcome: ReplayOutcome) -> list[str]:
    """Return which policy to take, and how sure that is; or that it cannot be told."""
    advice, metric = outcome.advice, outcome.metric
    if not advice.name:
        return [f"No policy is recommended: {advice.why}."]
    lines = [f"Recommended: {advice.name}, since {advice.why}."]
    if advice.over_best is not None:
        lines.append(f"Against {advice.best}: {_gap_words(advice.over_best, metric)}.")
    if advice.against_own is not None:
        own = next((each.name for each in outcome.policies if each.own), "the model's own")
        lines.append(f"Against {own}: {_gap_words(advice.against_own, metric)}.")
    elif any(each.own and each.name == advice.name for each in outcome.policies):
        lines.append("It is the model's own.")
    return lines


def _gap_words(gap: Interval95, metric: str) -> str:
    """Return by how much more is lost, with the interval in which the truth lies."""
    if gap.low is None or gap.high is None:
        return f"how {metric} differs cannot be told ({gap.untold})"
    if gap.low == gap.high == 0:
        return f"the same {metric} on every batch"
    mean = gap.mean or 0.0
    what = "worse" if mean > 0 else "better"
    low, high = sorted((abs(gap.low), abs(gap.high)))
    if gap.low > 0 or gap.high < 0:
        return f"{metric} {what} by {abs(mean):.4g} per batch ({low:.4g} to {high:.4g}, 95 %)"
    return (
        f"{metric} {what} by {abs(mean):.4g} per batch, but it may be anything from"
        f" {abs(min(gap.low, 0.0)):.4g} better to {max(gap.high, 0.0):.4g} worse (95 %)"
    )
