"""Labels told by request for rows that have a key.

A server that knows the row writes such a label under the row's key. One that does not know it
cannot, and writes it under the request and the row's place there (`label_index`). Here both meet.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inference_log.reader import first_labels, request_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.inference_log.reader import Keep, Labels

BY_REQUEST = "r:"
"""How an identity without a key begins (`format.identity`)."""
_NONE = pa.table({"told": pa.array([], pa.string()), "identity": pa.array([], pa.string())})


def identities_of(rows: pa.Table) -> pa.Array:
    """Return all identities by which labels of these rows of the log may have been told."""
    return pa.concat_arrays([rows["identity"].unique(), names_of(rows)])


def by_request(identities: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return which labels were told by request, of rows with a key or without."""
    return pc.starts_with(identities, BY_REQUEST)


def names_of(rows: pa.Table) -> pa.Array:
    """Return how rows of the log that have a key are called by request.

    Labels of them may have been told by these, where their host did not know them.
    """
    has_key = pc.is_valid(rows["key"])
    keyed = rows.select(["request_id", "row"]).filter(has_key)
    return request_names(keyed).combine_chunks()


def keep_labels_of(identities: pa.Array, names: Callable[[], pa.Array] | None) -> Keep:
    """Return what leaves the labels of these rows alone.

    `names` tells how the rows are called by request besides, and is asked only where labels were
    told so: where there are none, a look does not pay for it.
    """
    names = cache(names or (lambda: pa.array([], pa.string())))

    def keep(labels: pa.Table) -> pa.Table:
        told = labels["identity"]
        mine = pc.is_in(told, value_set=identities)
        if pc.any(pc.and_not(by_request(told), mine), min_count=0).as_py():
            mine = pc.or_(mine, pc.is_in(told, value_set=names()))
        return labels.filter(mine)

    return keep


def under_rows(labels: Labels, rows: pa.Table) -> Labels:
    """Return the labels, those told by request under the identity of their row.

    `rows` are of the log. Of several labels of one row the first counts, however it was told.
    """
    identities = labels.table["identity"].combine_chunks()
    pairs = _pairs(rows, identities.filter(by_request(identities)))
    if not pairs.num_rows:
        return labels
    places = pc.index_in(identities, value_set=pairs["told"].combine_chunks())
    own = pc.coalesce(pairs["identity"].combine_chunks().take(places), identities)
    table = labels.table.set_column(
        labels.table.schema.get_field_index("identity"), "identity", own
    )
    return replace(labels, table=first_labels(table))


def _pairs(rows: pa.Table, asked: pa.Array) -> pa.Table:
    """Return which rows with a key are called so by request: `told` and `identity`.

    A request and place that rows of several keys have is left out: nobody can say which of them a
    label is of. So is one that a row without a key has: that is its identity, and the label its.
    """
    if not len(asked) or rows["key"].null_count == len(rows):
        return _NONE
    has_key = pc.is_valid(rows["key"])
    others = rows["identity"].filter(pc.invert(has_key)).combine_chunks()
    asked = asked.filter(pc.invert(pc.is_in(asked, value_set=others)))
    if not len(asked):
        return _NONE
    keyed = rows.select(["request_id", "row", "identity"]).filter(has_key)
    pairs = pa.table({"told": request_names(keyed), "identity": keyed["identity"]})
    pairs = pairs.filter(pc.is_in(pairs["told"], value_set=asked))
    pairs = pairs.group_by(["told", "identity"], use_threads=False).aggregate([])
    counts = pairs.group_by("told", use_threads=False).aggregate([("identity", "count")])
    several = counts.filter(pc.greater(counts["identity_count"], 1))["told"].combine_chunks()
    return pairs.filter(pc.invert(pc.is_in(pairs["told"], value_set=several)))
