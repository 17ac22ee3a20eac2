"""What a store's inference log holds, line by line, as it was written.

And stores whose segments fail as asked.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field

import msgspec

from pipelines.errors import StorageFull
from pipelines.inference_log.format import AnswerRecord, Header, LabelRecord, header_of, payload


@dataclass
class Written:
    """One segment: its header and its records; `torn` is what stands after the last newline."""

    name: str
    header: Header | None
    records: list = field(default_factory=list)
    torn: bytes = b""


def written(store, model="flights", kind="predictions") -> list[Written]:
    """Return every segment, in the order of their names. A damaged line fails."""
    found = []
    for name in store.segments(f"inference/{model}/{kind}"):
        *lines, torn = store.read_segment(name).split(b"\n")
        if not lines:  # its process was killed before the header was written
            found.append(Written(name, None, torn=torn))
            continue
        header, copy, *rest = lines
        assert copy == header
        decode = msgspec.json.Decoder(AnswerRecord if kind == "predictions" else LabelRecord).decode
        found.append(
            Written(name, header_of(header), [decode(payload(line)) for line in rest], torn)
        )
    return found


def records(store, model="flights", kind="predictions") -> list:
    return [record for segment in written(store, model, kind) for record in segment.records]


class Failing:
    """A store whose segments fail while `error` is set: "full", or an errno.

    `header_lines` may fail too.
    """

    def __init__(self, store):
        self._store = store
        self.error = None
        self.opening = False
        self.syncing = None
        self.labels_unflushed = False
        """Whether flushes of label segments fail."""
        self.once = False
        self.did = []
        """Appends and flushes: what, of which segment, when it began."""

    def __getattr__(self, name):
        return getattr(self._store, name)

    def open_segment(self, name):
        if self.error and self.opening:
            self.fail()
        return FailingSegment(self._store.open_segment(name), self)

    def fail(self):
        error = self.error
        if self.once:
            self.error = None
        raise (
            StorageFull("No space is left in the store.")
            if error == "full"
            else OSError(error, "Input/output error")
        )


class FailingSegment:
    """A segment of such a store."""

    def __init__(self, segment, store):
        self._segment = segment
        self._store = store

    def __getattr__(self, name):
        return getattr(self._segment, name)

    def append(self, data):
        if self._store.error:
            self._store.fail()
        self._store.did.append(("append", self._segment.name, time.monotonic()))
        self._segment.append(data)

    def sync(self):
        self._store.did.append(("sync", self._segment.name, time.monotonic()))
        if self._store.labels_unflushed and "/labels/" in self._segment.name:
            raise OSError(errno.EIO, "Input/output error")
        if self._store.syncing:
            self._store.syncing -= 1
            raise OSError(errno.EIO, "Input/output error")
        self._segment.sync()
