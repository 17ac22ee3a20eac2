"""Where the rows of a column are counted, so that batches can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.profiling.columns import Kind, as_numbers, common_values
from pipelines.science.distributions import BINS, bin_counts, bin_edges

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Array = NDArray[Any]

OTHERS = "all others"


@dataclass(frozen=True)
class Bins:
    """Places to count rows in: by `edges`, or by texts, of which the last stands for all others."""

    edges: Array
    labels: list[str]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.labels) or max(0, len(self.edges) - 1)

    def counts(self, column: pa.ChunkedArray) -> Array:
        """Return the rows of a column in each, (b,)."""
        if not self.labels:
            return bin_counts(as_numbers(column), self.edges)
        places = {label: i for i, label in enumerate(self.labels)}
        counts = np.zeros(len(self.labels), dtype=int)
        for text, rows in common_values(column, most=len(column)):
            counts[places.get(text, len(self.labels) - 1)] += rows
        return counts


def bins_for(kind: Kind, columns: list[pa.ChunkedArray]) -> Bins:
    """Return the bins that the values of these columns ask for."""
    if kind in {"number", "time"}:
        values = np.concatenate([as_numbers(c) for c in columns])
        return Bins(bin_edges(values), [])
    rows: dict[str, int] = {}
    for column in columns:
        for text, count in common_values(column, most=len(column)):
            rows[text] = rows.get(text, 0) + count
    common = sorted(rows, key=lambda text: (-rows[text], text))[: BINS - 1]
    return Bins(np.array([]), [*common, OTHERS])
