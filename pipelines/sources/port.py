"""What a source promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval


@dataclass(frozen=True)
class Raw:
    """What a source had for an interval.

    Tables by name, or the problem and the bytes that could not be read (in `unread_file` where they
    are many). `notices` say what is new in the tables and was left out.

    Data that cannot be read are not an error of the source: they become a batch that `validate`
    refuses and quarantines.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    problem: str | None = None
    unread: bytes | None = None
    notices: list[str] = field(default_factory=list)
    unread_file: Path | None = None


@dataclass(frozen=True)
class Stream:
    """The rows of a source's main table part by part, in the types of `schema`.

    `tables` raises UnreadableRows where a part tells that the batch cannot be read, Unreachable
    where a retry may help.
    """

    name: str
    schema: pa.Schema
    tables: Iterator[pa.Table]


class UnreadableRows(Exception):
    """The rows cannot be read: the problem in words, and the file that holds them as they came."""

    def __init__(self, problem: str, unread: Path | None = None) -> None:
        """Keep both."""
        super().__init__(problem)
        self.problem = problem
        self.unread = unread


class Source(Protocol):
    """Reads the raw rows of one interval."""

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows.

        Raises Unreachable where the source is away (a retry may help).
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A source that gives the rows part by part where they are too large for memory."""

    def stream(self, interval: Interval, folder: Path) -> Raw | Stream:
        """Return the interval's rows; `folder` takes what must lie on this disk."""
        ...
