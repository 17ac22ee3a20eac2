"""Read the labels of a window's rows: the rotated ones by an index, the others from segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from pipelines.inference_log.decode import together
from pipelines.inference_log.reader import (
    LABELS,
    LOOKS,
    Labels,
    first_labels,
    from_segments,
    say_endless,
)
from pipelines.inference_log.rotated_entries import segments_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.inference_log.rotated_index import RotatedIndex
    from pipelines.store.port import Store


def read_labels_of(store: Store, model: str, identities: pa.Array, index: RotatedIndex) -> Labels:
    """Return the first label of each of these rows, as `reader.read_labels` would: rotated ones by
    the index, the others from their segments. Raises Busy where others rotate without an end.
    """
    for _ in range(LOOKS):
        # before the index: what is rotated in between is then in both, never in neither
        names = segments_of(store, model, "labels")
        rotated = index.labels(identities)
        parts = from_segments(
            store,
            sorted(set(names) - rotated.segments),
            lambda rows: rows.filter(pc.is_in(rows["identity"], identities)),
        )
        if parts is not None:
            tables = [rotated.table, *(p.rows.select(LABELS.names) for p in parts.pieces)]
            return Labels(
                table=first_labels(together([t for t in tables if t.num_rows] or tables[:1])),
                torn=rotated.torn + parts.torn,
                damage=[*rotated.damage, *parts.damage],
            )
    raise say_endless(model)
