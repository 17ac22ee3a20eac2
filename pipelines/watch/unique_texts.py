"""Texts that hardly ever come twice: what their values are says nothing of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.spec.steps import Hash, Tfidf

if TYPE_CHECKING:
    from pipelines.spec import Spec

UNIQUE = 0.9
"""From this share of different values on, each new row is expected to bring a new one."""
LEAST = 50
"""Of fewer values nobody can tell how many come twice."""


def warn_of_unique_texts(spec: Spec, table: pa.Table) -> str:
    """Return a warning that names the watched texts of which nearly every row has its own.

    Empty where there is none, where the model is not watched, and of texts whose words a candidate
    counts.
    """
    if spec.drift is None:
        return ""
    counted = _counted(spec)
    names = [n for n in spec.inputs if n not in counted and _is_unique(table.column(n))]
    if not names:
        return ""
    return (
        f"nearly every row has its own text in {', '.join(names)}: each window brings others, so no"
        " test of drift says anything true of them; let `build` make inputs of them that repeat"
        " (a length, a kind) and take these instead, or count their words"
        f" (`steps: [{{step: tfidf, columns: [{names[0]}]}}]`)"
    )


def _counted(spec: Spec) -> set[str]:
    """Return the inputs whose words a candidate counts."""
    steps = (step for candidate in spec.candidates for step in candidate.steps)
    return {name for s in steps if isinstance(s, Tfidf | Hash) for name in s.columns or spec.inputs}


def _is_unique(column: pa.ChunkedArray) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return False
    there = column.drop_null()
    return len(there) >= LEAST and len(there.unique()) >= UNIQUE * len(there)
