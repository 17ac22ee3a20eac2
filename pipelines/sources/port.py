"""What a source promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.intervals import Interval


@dataclass(frozen=True)
class Raw:
    """What a source had for an interval.

    Tables by name, or the problem and the bytes that could not be read. `notices` say what is new
    in the tables and was left out.

    Data that cannot be read are not an error of the source: they become a batch that `validate`
    refuses and quarantines.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    problem: str | None = None
    unread: bytes | None = None
    notices: list[str] = field(default_factory=list)


class Source(Protocol):
    """Reads the raw rows of one interval."""

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows.

        Raises Unreachable where the source is away (a retry may help).
        """
        ...
