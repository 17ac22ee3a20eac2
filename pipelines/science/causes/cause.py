"""What is behind a change, and by what that is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["broken_upstream", "population", "concept", "season", "nothing", "unclear"]
Detail = Literal[
    "units",
    "sign",
    "swapped",
    "rounded",
    "frozen",
    "one_value",
    "nulls",
    "source_gone",
    "category_gone",
    "category_renamed",
    "cut",
    "duplicated",
    "clock",
    "",
]
Sureness = Literal["sure", "likely", "possible"]


@dataclass(frozen=True)
class Break:
    """A sign of a broken pipe: which one, in which columns, and a sentence with its numbers.

    `strength` (0..1) is the share of the window's difference that the sign explains. `is_sure`
    tells that nothing else leaves this sign, however few rows show it.
    """

    detail: Detail
    columns: list[str]
    words: str
    strength: float
    is_sure: bool = False


@dataclass(frozen=True)
class Cause:
    """What is behind a change.

    `detail` says what is broken where the kind is `broken_upstream`. `evidence` are sentences with
    numbers, `columns` the columns that they are about, the most telling first.
    """

    kind: Kind
    evidence: list[str]
    detail: Detail = ""
    columns: list[str] = field(default_factory=list)
    sureness: Sureness = "likely"
