"""A number with its noun, as people read it."""

from __future__ import annotations


def how_many(number: int, noun: str, plural: str = "") -> str:
    """Return the number and its noun: `1 batch`, `1,200 rows`.

    `plural` stands for more than one, and for none; default: by the rules of English.
    """
    return f"{number:,} {noun if number == 1 else plural or _plural_of(noun)}"


def ordinal(number: int) -> str:
    """Return a number as people count in a line: `1st`, `2nd`, `11th`."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{'th' if number % 100 in (11, 12, 13) else ending}"


def _plural_of(noun: str) -> str:
    if noun.endswith(("ch", "sh", "s", "x")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
