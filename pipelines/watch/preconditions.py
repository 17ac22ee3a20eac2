"""What must hold before a window is compared with anything: the schema, the kinds, finiteness.

And how much is missing.

Each thing that does not hold is one sentence that names the column. Types are compared by kind, not
to the bit: an integer column in place of a number is none of a model's business, a text in place of
a number is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import FLOAT32_MAX
from pipelines.spec.drift import NUMBER_METHODS, TEXT_METHODS
from pipelines.tasks import finds_classes, has_named_classes

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.bundle.schema import Column, InputSchema, Kind
    from pipelines.spec.drift import Drift, Rule
    from pipelines.watch.sides import ChampionReference, Labelled, Rows

    Array = NDArray[Any]

_NAMED = 5
"""Names that a sentence lists."""
_ROUNDING = 1e-6
"""How far float32 may carry a probability out of [0, 1]."""


@dataclass(frozen=True)
class CheckedWindow:
    """What is broken, what a reader should know, and by input the shares missing (window,
    reference) where both have it.
    """

    broken: list[str]
    notes: list[str]
    missing: dict[str, tuple[float, float]]


def watched_inputs(schema: InputSchema) -> list[Column]:
    """Return the inputs that are looked at.

    All but personal ones, of which neither the log nor the reference holds the values, and the
    calendar of a forecast: a window of one month is of another month than the one before it.
    """
    made = schema.series.columns if schema.series else []
    calendar = {c.name for c in made if c.of_calendar}
    return [c for c in schema.columns if c.personal is None and c.name not in calendar]


def textual(kind: Kind) -> bool:
    """Tell whether a kind is compared by its values' shares (texts, booleans) rather than as
    numbers.
    """
    return kind in {"string", "boolean"}


def rule_of(rules: Drift, column: Column) -> Rule:
    """Return the rule of an input."""
    return rules.rule(column.name, text=textual(column.kind))


def size(rows: Rows) -> int:
    """Return the number of rows; a table without columns has no number of its own."""
    return rows.inputs.num_rows if rows.inputs.num_columns else len(rows.predictions)


def check(
    rules: Drift, window: Rows, labelled: Labelled | None, champion: ChampionReference
) -> CheckedWindow:
    """Return what is broken in a window that has rows, or in the champion's reference."""
    columns = watched_inputs(champion.schema)
    sides = (("", window.inputs), (" in the champion's training data", champion.reference.inputs))
    faults = [p for where, table in sides for c in columns for p in _column(c, table, where)]
    faults += [
        p
        for c in columns
        for p in _rule(rule_of(rules, c), f"the input {c.name}", text=textual(c.kind))
    ]
    faults += _rule(rules.predictions, "the predictions", text=has_named_classes(champion.task))
    row_count = size(window) if window.answered is None else window.answered
    if len(window.predictions) != row_count:
        faults.append(
            f"the window holds {row_count:,} rows and {len(window.predictions):,} predictions"
        )
    faults += _predictions(window.predictions, champion.task, "in the window")
    faults += _predictions(
        champion.reference.predictions, champion.task, "of the champion's holdout"
    )
    faults += _check_labelled(labelled, champion.task)
    if columns and champion.reference.inputs.num_rows == 0:
        faults.append("the champion's bundle holds no training rows to compare with")
    tables = [table for _, table in sides]
    shares = {
        c.name: (
            window.missing.get(c.name, _missing_share(c, tables[0])),
            _missing_share(c, tables[1]),
        )
        for c in columns
        if _both(c, tables)
    }
    return CheckedWindow(faults, _notes(window, champion), shares)


def numbers(column: pa.ChunkedArray) -> Array:
    """Return a column of numbers as float64 (n,); null is NaN."""
    import pyarrow as pa

    values: Array = (
        column.cast(_value_type(column.type))
        .cast(pa.float64(), safe=False)
        .to_numpy(zero_copy_only=False)
    )
    return values


def _value_type(arrow: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return arrow.value_type if pa.types.is_dictionary(arrow) else arrow


def _kind(arrow: pa.DataType) -> str:
    """Return the kind of an Arrow type, "null" for a column without any value, or the type's own
    name where it is none of ours.
    """
    from pyarrow import types

    arrow = _value_type(arrow)
    tests = (
        ("null", types.is_null),
        ("boolean", types.is_boolean),
        ("integer", types.is_integer),
        ("number", lambda t: types.is_floating(t) or types.is_decimal(t)),
        (
            "string",
            lambda t: types.is_string(t) or types.is_large_string(t) or types.is_string_view(t),
        ),
    )
    return next((name for name, test in tests if test(arrow)), str(arrow))


def _column(column: Column, table: pa.Table, where: str) -> list[str]:
    """Return what is broken in one input of a table."""
    times = table.column_names.count(column.name)
    if times != 1:
        return [
            (
                f"the input {column.name} is missing{where}"
                if times == 0
                else f"the input {column.name} stands there {times} times{where}"
            )
        ]
    values = table[column.name]
    kind = _kind(values.type)
    if kind == "null" or values.null_count == len(
        values
    ):  # a column without values is of no kind, whatever its type
        return []
    fits = {"number": {"number", "integer"}, "integer": {"number", "integer"}}.get(
        column.kind, {column.kind}
    )
    if kind not in fits:
        content = "numbers as text" if kind == "string" and _all_numbers(values) else _words(kind)
        return [
            (
                f"the input {column.name} holds {content}{where}; the model learnt from"
                f" {_words(column.kind)}"
            )
        ]
    return _numbers_fit(column, numbers(values), where) if kind in {"number", "integer"} else []


def _numbers_fit(column: Column, values: Array, where: str) -> list[str]:
    """Return what is wrong with numbers; NaN is a missing value and not wrong."""
    infinite = int(np.isinf(values).sum())
    if infinite:
        return [f"the input {column.name} holds {_count(infinite)} infinite{where}"]
    huge = int((np.abs(values) > FLOAT32_MAX).sum())
    if huge:
        return [
            (
                f"the input {column.name} holds {_count(huge)} beyond what a model can be fed"
                f" (float32, {FLOAT32_MAX:.2g}){where}"
            )
        ]
    if column.kind == "integer":
        fractions = int((values[np.isfinite(values)] % 1 != 0).sum())
        if fractions:
            return [
                (
                    f"the input {column.name} holds {_count(fractions)} with a fraction{where}; the"
                    " model learnt from whole numbers"
                )
            ]
    return []


def _count(values: int) -> str:
    return f"{values:,} values that are" if values > 1 else "one value that is"


def _words(kind: str) -> str:
    return {
        "number": "numbers",
        "integer": "whole numbers",
        "boolean": "booleans",
        "string": "texts",
    }.get(kind, f"values of type {kind}")


def _all_numbers(column: pa.ChunkedArray) -> bool:
    """Tell whether every text of a column reads as a number.

    Then somebody upstream changed a type, not a meaning.
    """
    import pyarrow as pa

    try:
        values = column.cast(_value_type(column.type)).drop_null().cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return len(values) > 0


def _rule(rule: Rule, what: str, *, text: bool) -> list[str]:
    """Return what is wrong with a method for a kind of column.

    Only the window's schema tells which kind a column is.
    """
    if rule.method in (TEXT_METHODS if text else NUMBER_METHODS):
        return []
    return [
        (
            f"the spec compares {what} with {rule.method}, which does not compare"
            f" {'texts' if text else 'numbers'}"
        )
    ]


def _predictions(predictions: Array, task: str, whose: str) -> list[str]:
    """Return what is wrong with predictions."""
    if has_named_classes(task):
        wrong, what = sum(not isinstance(label, str) for label in predictions), "no labels"
    else:
        values = np.asarray(predictions, dtype=np.float64)
        wrong, what = int((~np.isfinite(values)).sum()), "not finite"
        if not wrong and task == "binary":
            wrong, what = (
                int(((values < -_ROUNDING) | (values > 1 + _ROUNDING)).sum()),
                "no probabilities",
            )
    return [f"{wrong:,} of {len(predictions):,} predictions {whose} are {what}"] if wrong else []


def _check_labelled(labelled: Labelled | None, task: str) -> list[str]:
    if labelled is None:
        return []
    answers = "answers" if finds_classes(task) else "predictions of labelled rows"
    pairs = (("labels", labelled.y), (answers, labelled.p))
    wrong = (
        (what, int((~np.isfinite(np.asarray(values, dtype=np.float64))).sum()))
        for what, values in pairs
    )
    return [f"{count:,} {what} are not finite" for what, count in wrong if count]


def _notes(window: Rows, champion: ChampionReference) -> list[str]:
    names = {c.name for c in champion.schema.columns}
    more = [name for name in window.inputs.column_names if name not in names]
    if not more:
        return []
    examples = ", ".join(name[:60] for name in more[:_NAMED]) + (
        f" and {len(more) - _NAMED} more" if len(more) > _NAMED else ""
    )
    return [f"the window holds columns that the champion does not know: {examples}"]


def _both(column: Column, tables: list[pa.Table]) -> bool:
    return all(t.column_names.count(column.name) == 1 and t.num_rows > 0 for t in tables)


def _missing_share(column: Column, table: pa.Table) -> float:
    """Return the share of null and NaN.

    An empty text is a value, though the model is fed the same for null.
    """
    import pyarrow.compute as pc

    values = table[column.name]
    is_number = _kind(values.type) == "number"
    count = (
        int(np.isnan(numbers(values)).sum())
        if is_number
        else int(pc.sum(pc.is_null(values)).as_py())
    )
    return count / len(values)
