"""A sentence of a review, as it was written."""

from __future__ import annotations

import ibis
from ibis import _


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per sentence: number, review, text, and whether people found it positive.

    The number of a sentence begins with that of its review: all sentences of one review are on one
    side.
    """
    return tables["events"].select(
        "sentence", "text", review=_.sentence.split("_")[0], positive=_.rating > 0
    )
