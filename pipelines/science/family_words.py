"""What a family of tests says, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.science.changed_columns import strongest
from pipelines.science.claim_words import is_claim, is_less_true, tell_claims

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.science.changes.facts import ColumnChange, FamilyChange
    from pipelines.science.drift_facts import DriftFacts

_WORDS = {
    "missing": "missing values",
    "inputs": "each input",
    "together": "the inputs together",
    "predictions": "the predictions",
    "performance": "how right the answers are",
}
_STATISTICS = {
    "mean": "its mean",
    "spread": "its spread",
    "outside": "values outside the reference's range",
    "share": "the share of a category",
    "unseen": "categories that the reference lacks",
    "missing": "its missing values",
    "infinite": "its infinite values",
    "gone": "is gone",
    "new": "is new",
    "kind": "holds values of another kind",
    "kernel": "how the inputs go together",
}
_NAMED = 5


def tell_family(family: str) -> str:
    """Return what a family looks at, in words."""
    return _WORDS[family]


def tell_statistic(method: str) -> str:
    """Return what a statistic looks at, in words; a distance by its name."""
    return _STATISTICS.get(method, method)


def is_better(family: FamilyChange) -> bool:
    """Tell whether the family says that answers are less wrong than they were, or claim more truly,
    and none the contrary.
    """
    changed = [c for c in family.columns if c.changed]
    return family.family == "performance" and not any(
        is_less_true(c) if is_claim(c) else c.statistic > 0 for c in changed
    )


def find_untrue(families: Sequence[FamilyChange]) -> list[str]:
    """Return in words what answers claim less truly than they did; empty where nothing changed."""
    return [
        words
        for family in families
        if family.family == "performance" and any(is_less_true(c) for c in family.columns)
        for words in tell_claims(family.columns)
    ]


def explain_family(family: FamilyChange, facts: DriftFacts) -> str:
    """Return a sentence on a family that says "changed"."""
    p_value = _p_text(family.p_value)
    if family.family == "performance":
        return _explain_answers(family, facts, p_value)
    if family.family == "predictions":
        return f"the predictions have changed ({_tell(strongest(family.columns))}, {p_value})"
    if family.family == "together":
        return f"the inputs have changed in how they go together ({p_value})"
    what = "missing values" if family.family == "missing" else "inputs"
    by_name: dict[str, list[ColumnChange]] = {}
    for change in family.columns:
        by_name.setdefault(change.name, []).append(change)
    found = {n: strongest(c) for n, c in by_name.items() if any(s.changed for s in c)}
    ordered = sorted(found.values(), key=lambda c: (c.p_value or 0.0, -abs(c.statistic)))
    names = ", ".join(f"{c.name} ({_tell(c)}, {_p_text(c.p_value)})" for c in ordered[:_NAMED])
    more = f", and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return f"{what} have changed: {names}{more}"


def _explain_answers(family: FamilyChange, facts: DriftFacts, p_value: str) -> str:
    """Return what has changed of losses, and of what answers claim."""
    losses = [c for c in family.columns if c.changed and not is_claim(c)]
    claims = "; ".join(tell_claims(family.columns))
    live = facts.performance
    told = ""
    if live is not None and live.expected is not None:
        told = (
            f": {live.metric} is {live.live:.4g}{live.behind} on {live.rows_in_words}, and was"
            f" {live.expected:.4g} there"
        )
    if losses:
        how = "more" if any(c.statistic > 0 for c in losses) else "less"
        words = f"the champion's answers are {how} wrong than on its holdout ({p_value}){told}"
        return f"{words}; {claims}" if claims else words
    how = "more" if is_better(family) else "less"
    words = f"what the champion's answers claim is {how} true than on its holdout ({p_value})"
    return f"{words}: {claims}"


def _tell(change: ColumnChange) -> str:
    return tell_statistic(change.method)


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return "no p-value"
    return "p below 0.001" if p_value < 0.001 else f"p {p_value:.3f}"  # noqa: PLR2004
