"""Read the labels of a window's rows: the rotated ones by an index, the others from segments."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pipelines.inference_log.decode import together
from pipelines.inference_log.reader import (
    LABELS,
    LOOKS,
    Labels,
    first_labels,
    from_segments,
    say_endless,
)
from pipelines.inference_log.request_labels import keep_labels_of
from pipelines.inference_log.rotated_entries import segments_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipelines.inference_log.rotated_index import RotatedIndex
    from pipelines.store.port import Store


def read_labels_of(
    store: Store,
    model: str,
    identities: pa.Array,
    index: RotatedIndex,
    names: Callable[[], pa.Array] | None = None,
) -> Labels:
    """Return the first label of each of these rows, as `reader.read_labels` would: rotated ones by
    the index, the others from their segments.

    `names` tells how the rows are called by request besides, and is asked only where labels were
    told so: where there are none, a look does not pay for it. Raises Busy where others rotate
    without an end.
    """
    names = names if names is None else cache(names)
    keep = keep_labels_of(identities, names)
    for _ in range(LOOKS):
        # before the index: what is rotated in between is then in both, never in neither
        segments = segments_of(store, model, "labels")
        rotated = index.labels(identities, names)
        parts = from_segments(store, sorted(set(segments) - rotated.segments), keep)
        if parts is not None:
            tables = [rotated.table, *(p.rows.select(LABELS.names) for p in parts.pieces)]
            return Labels(
                table=first_labels(together([t for t in tables if t.num_rows] or tables[:1])),
                torn=rotated.torn + parts.torn,
                damage=[*rotated.damage, *parts.damage],
            )
    raise say_endless(model)
