"""What has changed in what answers claim of their outcomes, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.science.changes.facts import ColumnChange

_OF_SHARES = frozenset({"bias", "high", "low"})
_NAMED = 3
_RIGHT = 0.001
"""Probabilities that are less far from the share that came are right on average."""
_ORDER = ("coverage", "confidence", "bias", "error", "surest", "level", "high", "low")
"""What says more comes first."""


def is_claim(change: ColumnChange) -> bool:
    """Tell whether a statistic is of what answers claim, not of a loss."""
    return change.nominal is not None


def is_less_true(change: ColumnChange) -> bool:
    """Tell whether a claim that has changed is further from the truth than it was."""
    if not change.changed or change.nominal is None:
        return False
    if change.now is None or change.before is None:
        return True
    return abs(change.now - change.nominal) > abs(change.before - change.nominal)


def tell_claim(change: ColumnChange, others: Sequence[ColumnChange] = ()) -> str:
    """Return what a claim is by now, and what it was; `others` are those of the same answers."""
    if change.now is None or change.before is None:
        return f"{_what(change)} cannot be said in numbers"
    now, before = change.now, change.before
    match change.method:
        case "coverage":
            share = f"{change.nominal:.0%}" if change.nominal is not None else ""
            return f"{share} intervals ({change.name}) cover {now:.1%}, they covered {before:.1%}"
        case "level":
            return f"{now:.1%} of outcomes lie below the level {change.name}, {before:.1%} did"
        case "confidence":
            return _tell_confidence(change, others)
        case "surest":
            return (
                f"the likeliest class comes {_share(now)} often than it says ({_share(before)}"
                " before)"
            )
    return f"{_what(change)} are {_away(change, now)} ({_away(change, before)} before)"


def sort_claims(found: Sequence[ColumnChange]) -> list[ColumnChange]:
    """Return the claims among statistics, what says more first."""
    return sorted((c for c in found if is_claim(c)), key=lambda c: _ORDER.index(c.method))


def tell_claims(found: Sequence[ColumnChange]) -> list[str]:
    """Return what changed, each in a clause, what says more first; of a group of probabilities only
    where nothing else tells it.
    """
    changed = [c for c in sort_claims(found) if c.changed]
    telling = [c for c in changed if c.method not in {"high", "low"}] or changed
    covered = any(c.method == "coverage" for c in telling)
    sure = any(c.method == "confidence" for c in telling)
    telling = [
        c
        for c in telling
        if not (covered and c.method == "level") and not (sure and c.method == "surest")
    ]
    words = [tell_claim(c, found) for c in telling[:_NAMED]]
    more = len(telling) - _NAMED
    return [*words, f"and {more} more"] if more > 0 else words


def _what(change: ColumnChange) -> str:
    of = f" of {change.name}" if change.name else ""
    return {
        "bias": f"probabilities{of}",
        "high": "probabilities above their mean",
        "low": "probabilities below their mean",
        "error": "answers",
        "confidence": "how extreme probabilities are",
        "surest": "the likeliest class",
    }.get(change.method, change.name)


def _away(change: ColumnChange, value: float) -> str:
    """Return on which side of the outcomes answers are: a bias is the outcome less the answer."""
    size = abs(value)
    if change.method in _OF_SHARES:
        return "right on average" if size < _RIGHT else f"{_side(value)} by {size:.2g}"
    return f"{_side(value)} by {size:.4g}" if size else "right on average"


def _side(value: float) -> str:
    return "too low" if value > 0 else "too high"


def _share(value: float) -> str:
    return f"{abs(value):.1%} {'more' if value > 0 else 'less'}"


def _tell_confidence(change: ColumnChange, others: Sequence[ColumnChange]) -> str:
    """Return whether probabilities are too extreme, and where that is seen.

    The slope itself is a first step towards it only, and is no number to be read.
    """
    if not change.changed:
        return "probabilities are as extreme as they were"
    what = (
        "probabilities are too extreme (over-confident)"
        if (change.now or 0.0) < 0
        else "probabilities are not extreme enough (under-confident)"
    )
    if not is_less_true(change):
        what = "probabilities are more nearly as extreme as outcomes than they were"
    groups = {c.method: c for c in others}
    telling = [groups[method] for method in ("surest", "high", "low") if method in groups]
    return ": ".join([what, *([" and ".join(tell_claim(c) for c in telling)] if telling else [])])
