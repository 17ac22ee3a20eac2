"""What an erasure changes in the inference log: predictions, and the labels of their rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inference_log.decode import decode
from pipelines.inference_log.reader import request_names
from pipelines.inference_log.rotated_entries import (
    entries_of,
    from_parquet,
    segments_of,
    to_parquet,
)
from pipelines.ops.erasure.rows import those_with, without_those
from pipelines.refs import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.inference_log.rotated_entries import RotatedEntry
    from pipelines.ops.traces.sought import Sought
    from pipelines.store.port import Store


@dataclass
class LogChanges:
    """What takes the place of which entry, by key; the URIs of objects that nobody needs then; and
    the identities of labels that go because they were told by request of rows that go.
    """

    replace: dict[str, str] = field(default_factory=dict)
    drop_objects: list[str] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)


def log_changes(store: Store, model: str, sought: Sequence[Sought]) -> LogChanges:
    """Return what must change so that the log's rows that hold what is sought are gone, and their
    labels. New objects are put. Raises Corrupted where an object cannot be read.

    A label that was told by request names nobody: it is known by the request and place of its row.
    """
    changes = LogChanges()
    names: set[str] = set()
    for key, entry in entries_of(store, model, "predictions").entries.items():
        rows = from_parquet(store.get(entry.data))
        gone = those_with(rows, sought)
        kept = without_those(rows, gone)
        if kept is not None:
            names.update(request_names(rows.filter(gone)).to_pylist())
            _replace(store, key, entry, kept, changes)
    for key, entry in entries_of(store, model, "labels").entries.items():
        rows = from_parquet(store.get(entry.data))
        by_name = _note_labels(rows, names, changes)
        by_key = those_with(rows, sought)
        kept = without_those(rows, by_name if by_key is None else pc.or_(by_key, by_name))
        if kept is not None:
            _replace(store, key, entry, kept, changes)
    for name in segments_of(store, model, "labels"):  # what is still open: an erasure waits for it
        data = store.read_segment(name) or b""
        rows = decode(name, data, is_growing=store.is_open(name)).rows
        if rows is not None:
            _note_labels(rows, names, changes)
    return changes


def _note_labels(rows: pa.Table, names: set[str], changes: LogChanges) -> pa.ChunkedArray:
    """Return which labels are of rows with these names; note them."""
    told = pc.is_in(rows["identity"], value_set=pa.array(sorted(names), pa.string()))
    changes.labels.update(rows["identity"].filter(told).to_pylist())
    return told


def _replace(
    store: Store, key: str, entry: RotatedEntry, kept: pa.Table, changes: LogChanges
) -> None:
    data = store.put(to_parquet(kept), ".parquet")
    new = entry.model_copy(update={"data": data, "rows": kept.num_rows})
    changes.replace[key] = canonical(new).decode()
    changes.drop_objects.append(entry.data.uri)
