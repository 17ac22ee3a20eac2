"""A number with its noun, as people read it."""

from __future__ import annotations


def how_many(number: int, noun: str, plural: str = "") -> str:
    """Return the number and its noun: `1 batch`, `1,200 rows`.

    `plural` stands for more than one, and for none; default: by the rules of English.
    """
    return f"{number:,} {noun if number == 1 else plural or _plural_of(noun)}"


def _plural_of(noun: str) -> str:
    if noun.endswith(("ch", "sh", "s", "x")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
