"""What `check` says of a snapshot: how its rows part, and what the gate can do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import SpecError
from pipelines.tasks import classifies, learns_nothing

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.spec import Spec

NAMED = 5
"""Classes that a sentence names."""


def describe_sides(spec: Spec, table: pa.Table) -> list[str]:
    """Return sentences on the two sides of a snapshot's built rows, without full stops.

    Raises SpecError where a training or the gate would refuse the snapshot for its size.
    """
    import pyarrow as pa

    from pipelines.data.labelled_rows import visible
    from pipelines.data.sides import groups_of, held_out, sides_of
    from pipelines.intervals import SNAPSHOT
    from pipelines.judging.refit_comparison import why_too_few
    from pipelines.science.gate.rows import LEAST_ROWS
    from pipelines.training.refit_rows import MOST_ROWS

    rows = table.filter(pa.array(visible(table, spec, SNAPSHOT.end)))
    total = len(np.unique(groups_of(rows, spec)))
    unit = "groups of rows" if spec.train.group else "rows"
    known = "" if learns_nothing(spec.task) else f" with a known {spec.target.column}"
    if total < LEAST_ROWS:
        raise SpecError(
            f"The snapshot has {total} {unit}{known}; the gate needs at least"
            f" {LEAST_ROWS} to prove anything.",
            remedy="take a larger snapshot.",
        )
    is_held = held_out(rows, sides_of(spec), spec.key)
    held = int(is_held.sum())
    by = f"by {spec.train.group}" if spec.train.group else "by the key"
    sentences = [f"{held} of {rows.num_rows} rows are held out ({by}, always the same ones)"]
    if held in {0, rows.num_rows}:
        raise SpecError(
            f"{sentences[0]}, so one side is empty.",
            remedy="choose another train.holdout or train.seed, or take a larger snapshot.",
        )
    few = why_too_few(spec, rows.filter(pa.array(is_held)), np.full(held, fill_value=True))
    if few and rows.num_rows <= MOST_ROWS:
        sentences.append(f"{few}: the gate fits both models again over folds of all rows")
    elif few:
        sentences.append(
            f"WARNING: {few}: the gate would refuse every challenger; raise train.holdout or"
            " lower gate.min_rows"
        )
    return [*sentences, *_class_sentences(spec, rows, is_held, folds=bool(few))]


def _class_sentences(spec: Spec, rows: pa.Table, is_held: Any, *, folds: bool) -> list[str]:
    from pipelines.classes import class_names

    if not classifies(spec.task):
        return []
    names = np.array(class_names(rows[spec.target.column]).to_pylist(), dtype=object)
    classes, counts = np.unique(names.astype(str), return_counts=True)
    rare = [str(c) for c, n in zip(classes, counts, strict=True) if n == 1]
    missing = [str(c) for c in classes if c not in set(names[is_held].astype(str))]
    sentences = []
    if folds and rare:
        sentences.append(
            f"WARNING: of {_list(rare)} there is one row only: the gate would refuse every"
            " challenger; leave such rows out in features.py or take a larger snapshot"
        )
    elif missing and not folds:
        sentences.append(
            f"WARNING: no held-out row is of {_list(missing)}: how well it is recognised is not"
            " judged"
        )
    return sentences


def _list(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more
