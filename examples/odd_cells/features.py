"""The measures of a tumour's cells, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per tumour: key, measures, and the label where somebody has told."""
    return tables["events"]
