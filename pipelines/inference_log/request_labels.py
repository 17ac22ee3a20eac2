"""Labels told by request for rows that have a key.

A server that knows the row writes such a label under the row's key. One that does not know it
cannot, and writes it under the request and the row's place there (`label_index`). Here both meet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inference_log.reader import first_labels

if TYPE_CHECKING:
    from pipelines.inference_log.reader import Labels


def identities_of(rows: pa.Table) -> pa.Array:
    """Return all identities by which labels of these rows of the log may have been told."""
    told = request_identities(rows)["told"].combine_chunks()
    return pa.concat_arrays([rows["identity"].unique(), told])


def request_identities(rows: pa.Table) -> pa.Table:
    """Return how rows with a key are called by request, and their identity: `told` and `identity`.

    `rows` has the columns of the log. A request and place that rows of several keys have is left
    out: nobody can say which of them a label is of.
    """
    keyed = rows.filter(pc.is_valid(rows["key"])).select(["request_id", "row", "identity"])
    told = pc.binary_join_element_wise(
        pc.binary_join_element_wise("r:", keyed["request_id"], ""),
        keyed["row"].cast(pa.string()),
        "#",
    )
    pairs = pa.table({"told": told, "identity": keyed["identity"]})
    pairs = pairs.group_by(["told", "identity"], use_threads=False).aggregate([])
    counts = pairs.group_by("told", use_threads=False).aggregate([("identity", "count")])
    several = counts.filter(pc.greater(counts["identity_count"], 1))["told"]
    return pairs.filter(pc.invert(pc.is_in(pairs["told"], several.combine_chunks())))


def under_rows(labels: Labels, rows: pa.Table) -> Labels:
    """Return the labels, those told by request under the identity of their row.

    `rows` are of the log. Of several labels of one row the first counts, however it was told.
    """
    identities = labels.table["identity"]
    by_request = pc.starts_with(identities, "r:")
    if not pc.any(by_request, min_count=0).as_py() or rows["key"].null_count == len(rows):
        return labels
    pairs = request_identities(rows)
    places = pc.index_in(identities, value_set=pairs["told"].combine_chunks())
    own = pc.coalesce(pairs["identity"].combine_chunks().take(places.combine_chunks()), identities)
    table = labels.table.set_column(
        labels.table.schema.get_field_index("identity"), "identity", own
    )
    return replace(labels, table=first_labels(table))
