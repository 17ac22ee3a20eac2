"""The four lengths of a flower, as they were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per flower: key, lengths in centimetres, and the kind."""
    return tables["events"].select(
        "row_key", "sepal_length", "sepal_width", "petal_length", "petal_width", "species"
    )
