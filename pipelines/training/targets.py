"""What is predicted: from the target's column to numbers, and the names of its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.classes import binary_name, class_name, class_names
from pipelines.columns.widening import type_in_words
from pipelines.errors import BadData
from pipelines.plurals import how_many
from pipelines.science.usable_rows import UNLABELLED
from pipelines.spec.anomaly import needs_truth
from pipelines.tasks import answers_scores, classifies, learns_named_classes, learns_nothing

if TYPE_CHECKING:
    from pipelines.spec import Spec

Array = np.ndarray[Any, Any]

SHOWN, LENGTH = 5, 40
"""Values that a refusal names, and characters of each."""

TWO = 2
_COLUMN, _POSITIVE = ("target", "column"), ("target", "positive")


def classes_of(table: pa.Table, spec: Spec) -> list[str] | None:
    """Return the names of a multiclass target's classes, sorted as texts; None for other tasks."""
    if not learns_named_classes(spec.task):
        return None
    return sorted(_classes_in(spec, table))


def binary_classes(spec: Spec, *tables: pa.Table) -> tuple[str, str] | None:
    """Return what the data call the two classes, the positive one last.

    None where the spec names no `positive` one. Raises BadData naming the values where the tables
    do not hold exactly two classes, of which it is one.
    """
    positive = spec.target.positive
    if positive is None or spec.task != "binary":
        return None
    own = class_name(positive) or ""
    seen = _classes_in(spec, *tables)
    names = sorted({name for v in seen if (name := binary_name(v, positive)) is not None})
    if own not in names:
        yaml = "; YAML reads yes as true: write it in quotes" if isinstance(positive, bool) else ""
        raise BadData(
            f"target.positive: {_join_names([own])} is none of the values of {spec.target.column}:"
            f" {_join_names(names)}.",
            remedy=f"write `positive: {_as_yaml(names)}`, or another of them{yaml}.",
            at=_POSITIVE,
        )
    if len(names) != TWO:
        raise BadData(
            f"target.positive: {spec.target.column} holds {_count(len(names))}, a binary task needs"
            f" two: {_join_names(names)}.",
            remedy="derive the target by `expression`, or use the task multiclass."
            if len(names) > TWO
            else "widen train.window.",
            at=_POSITIVE,
        )
    return next(n for n in names if n != own), own


def targets(table: pa.Table, spec: Spec, classes: list[str] | None) -> Array:
    """Return what is predicted (n,).

    0 or 1, the class's position (-1 where it is not among `classes`), or the value.

    Zeros where the model has no target. Raises BadData where the column does not fit the task.
    """
    if answers_scores(spec.task):
        return _anomalies(table, spec)
    if not spec.has_target:
        return np.zeros(table.num_rows)
    column = table[spec.target.column]
    if learns_named_classes(spec.task):
        codes = pc.fill_null(
            pc.index_in(class_names(column), value_set=pa.array(classes or [], pa.string())), -1
        )
        return np.asarray(codes.to_numpy(), dtype=np.int64)
    if spec.task == "binary" and spec.target.positive is not None:
        return _of_positive(column, spec)
    if not _is_number(column):
        raise BadData(
            f"The target {spec.target.column} holds {type_in_words(column.type)}, which a"
            f" {spec.task} task cannot learn.",
            remedy=_remedy(column, spec),
            at=_COLUMN,
        )
    values: Array = column.cast(pa.float64()).to_numpy()
    if not np.isfinite(values).all():
        raise BadData(
            f"The target {spec.target.column} holds infinite values.",
            remedy="drop or mend these rows in features.py.",
            at=_COLUMN,
        )
    if not classifies(spec.task):
        return values
    if not np.isin(values, (0, 1)).all():
        raise BadData(
            f"The target {spec.target.column} of a binary task holds values besides 0 and 1:"
            f" {_join_names(sorted(_classes_in(spec, table)))}.",
            remedy=_remedy(column, spec),
            at=_COLUMN,
        )
    return values.astype(np.int64)


def _anomalies(table: pa.Table, spec: Spec) -> Array:
    """Return 1 for an anomaly, 0 for none, and -1 where nobody has told, (n,)."""
    if not spec.has_target:
        return np.full(table.num_rows, UNLABELLED, dtype=np.int64)
    column = table[spec.target.column]
    if not _is_number(column):
        raise BadData(
            f"The target {spec.target.column} holds {type_in_words(column.type)}, and an anomaly"
            " task takes true and false, or 1 and 0, and null where nobody has told.",
            remedy="derive it by `expression`, or build a boolean.",
            at=_COLUMN,
        )
    values = column.cast(pa.float64()).to_numpy()
    unknown = np.isnan(values)
    if not np.isin(values[~unknown], (0, 1)).all():
        raise BadData(
            f"The target {spec.target.column} of an anomaly task holds values besides 0 and 1:"
            f" {_join_names(sorted(_classes_in(spec, table)))}.",
            remedy="derive it by `expression`, or build a boolean; null where nobody has told.",
            at=_COLUMN,
        )
    return np.where(unknown, UNLABELLED, values).astype(np.int64)


def refuse_constant(y: Array, spec: Spec, what: str) -> None:
    """Raise BadData where nothing can be learnt: one value only."""
    if learns_nothing(spec.task):
        return
    if len(np.unique(y)) < TWO:
        value = y[0] if len(y) else "none"
        raise BadData(
            f"The target {spec.target.column} is the same ({value}) in all {len(y)} {what}.",
            remedy="widen train.window, or choose a target that varies.",
            at=_COLUMN,
        )


def refuse_one_label(y: Array, spec: Spec) -> None:
    """Raise BadData where the labels of an anomaly task, which are to judge, are all alike.

    `y` (n,) are those of all rows, -1 where there is none.
    """
    if not (learns_nothing(spec.task) and spec.has_target and needs_truth(spec.train.metric)):
        return
    known = np.unique(y[y != UNLABELLED])
    if len(known) >= TWO:
        return
    says = f"all {bool(known[0])}".lower() if len(known) else "all missing"
    raise BadData(
        f"The labels in {spec.target.column} are {says} in these {len(y):,} rows, and"
        f" {spec.train.metric} needs both rows that are anomalies and rows that are none.",
        remedy="widen train.window, or name a metric that needs no label and leave the target out.",
        at=_COLUMN,
    )


def _of_positive(column: pa.ChunkedArray, spec: Spec) -> Array:
    """Return 1 for the positive class and 0 for the other one."""
    names, own = class_names(column), class_name(spec.target.positive)
    distinct = [n for n in names.unique().to_pylist() if n is not None]
    meant = {n: binary_name(n, spec.target.positive) or n for n in distinct}
    if names.null_count:
        raise BadData(
            f"The target {spec.target.column} is unknown in {names.null_count} of these rows.",
            remedy="leave rows without a label out.",
        )
    if len(set(meant.values()) - {own}) > 1:
        raise BadData(
            f"target.positive: beside {own!r}, {spec.target.column} holds several values:"
            f" {_join_names(sorted({n for n in meant.values() if n != own}))}.",
            remedy="derive the target by `expression`, or use the task multiclass.",
            at=_POSITIVE,
        )
    positive = pa.array([n for n in distinct if meant[n] == own], pa.string())
    is_positive = pc.is_in(names, value_set=positive).to_numpy()
    return np.asarray(is_positive, dtype=np.int64)


def _classes_in(spec: Spec, *tables: pa.Table) -> set[str]:
    column = spec.target.column
    return {
        name
        for table in tables
        for name in class_names(table[column]).unique().to_pylist()
        if name is not None
    }


def _is_number(column: pa.ChunkedArray) -> bool:
    """Tell whether a column holds numbers or booleans, or nothing at all."""
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    return column.null_count == len(column) or any(test(column.type) for test in tests)


def _remedy(column: pa.ChunkedArray, spec: Spec) -> str:
    """Return what to write instead of a target that does not fit its task."""
    if not classifies(spec.task):
        return "build a number, or use the task multiclass (or binary)."
    names = sorted(n for n in class_names(column).unique().to_pylist() if n is not None)
    if len(names) == TWO:
        hint = f"write `target: {{column: {spec.target.column}, positive: {_as_yaml(names)}}}`"
        return f"{hint} (or the other value), or build a boolean."
    return (
        f"it has {_count(len(names))} ({_join_names(names)}): derive the target by `expression`,"
        " or use the task multiclass."
    )


def _count(number: int) -> str:
    return how_many(number, "value")


def _as_yaml(names: list[str]) -> str:
    """Return the likelier one of the names of two classes, as it is written in YAML."""
    likely = [n for n in names if n.lower() in _YES] or names[-1:]
    name = likely[0] if likely else ""
    is_plain = name.lstrip("-").replace(".", "", 1).isdigit()
    return name if is_plain else name.lower() if name in {"True", "False"} else f'"{name[:LENGTH]}"'


_YES = {"yes", "y", "true", "t", "1", "positive", "ja", "oui", "si"}


def _join_names(names: list[str]) -> str:
    texts = [repr(n if len(n) <= LENGTH else f"{n[:LENGTH]}…") for n in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(texts) + more
