"""What rows of a model share, so that they count as one piece of evidence and not as many."""

from __future__ import annotations

from typing import Literal

from pipelines.refs import Value
from pipelines.spec.sources import Identifier


class Alike(Value):
    """Which rows with an event time are alike: those of one span, and those of one group.

    Whoever says `hour` or `row` says that rows of one day are independent beyond that; where
    neighbours are alike all the same it is measured.
    """

    span: Literal["day", "hour", "row"] = "day"
    """How long rows are alike: all of a day are one piece of evidence, or all of an hour."""
    group: Identifier | None = None
    """A built column, of a customer say, whose rows are alike at all times."""
