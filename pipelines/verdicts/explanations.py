"""What a change's cause and effect are called, in the words that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.messages import DriftCause, DriftEffect

UNKNOWN = "how much of that is chance cannot be said"
"""What is said of a measured change of which days do not tell whether it is one."""

_KINDS = {
    "broken_upstream": "A pipe is broken upstream",
    "population": "Other rows come than in training",
    "concept": "The same rows have other outcomes than in training",
    "season": "The window is of another season than most of training",
    "nothing": "Nothing has changed by more than days do",
    "unclear": "The cause cannot be told",
}
_DETAILS = {
    "units": "values in another unit",
    "sign": "a sign turned round",
    "swapped": "columns swapped",
    "rounded": "values rounded",
    "frozen": "a value that does not move",
    "one_value": "one value filled in",
    "nulls": "values missing",
    "source_gone": "a source gone",
    "category_gone": "a category gone",
    "category_renamed": "a category renamed",
    "cut": "texts cut off",
    "duplicated": "rows that came twice",
    "clock": "a clock or time zone shifted",
}
_SHORT_KINDS = {
    "broken_upstream": "broken pipe",
    "population": "other rows",
    "concept": "other outcomes",
    "season": "season",
    "nothing": "nothing",
    "unclear": "unclear",
}
_SHORT_FOLLOWS = {
    "matters": "it matters",
    "nothing_follows": "nothing follows",
    "cannot_be_said": "cannot be said",
}
_FOLLOWS = {
    "matters": "It matters",
    "nothing_follows": "Changed, and nothing follows from it",
    "cannot_be_said": "Whether it matters cannot be said",
}


def cause_words(kind: str, detail: str = "") -> str:
    """Return what a cause is called."""
    words = _KINDS.get(kind, kind)
    return f"{words}: {_DETAILS.get(detail, detail)}" if detail else words


def broken_words(kind: str, detail: str, sureness: str) -> str:
    """Return what may be broken upstream and how sure that is; "" of another cause."""
    if kind != "broken_upstream":
        return ""
    return f"a pipe is broken upstream ({sureness}: {_DETAILS.get(detail, detail)})"


def effect_words(follows: str) -> str:
    """Return what follows from a change."""
    return _FOLLOWS.get(follows, follows)


def name_cause(kind: str, detail: str = "") -> str:
    """Return a cause in few words, as a table has room for."""
    words = _SHORT_KINDS.get(kind, kind)
    return f"{words}: {_DETAILS.get(detail, detail)}" if detail else words


def name_effect(follows: str) -> str:
    """Return what follows from a change in few words, as a table has room for."""
    return _SHORT_FOLLOWS.get(follows, follows)


def in_short(cause: DriftCause | None, effect: DriftEffect | None) -> list[str]:
    """Return a line for the cause and one for the effect, where they are known, and one for each
    change of which it cannot be said how much of it is chance.
    """
    lines = []
    if cause is not None:
        first = f" ({cause.evidence[0]})" if cause.evidence else ""
        lines.append(f"cause: {cause_words(cause.kind, cause.detail)}{first}")
    if effect is not None:
        first = f" ({effect.words[0]})" if effect.words else ""
        lines.append(f"effect: {effect_words(effect.follows)}{first}")
        lines += [f"effect: {words}" for words in effect.words[1:] if UNKNOWN in words]
    return lines
