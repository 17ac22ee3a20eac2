"""The names of classes.

One name for one class, whatever the type in which a batch, a label or a bundle holds it.

A whole number is named without a fraction (1, 1.0 and Decimal("1.00") are "1"), any other number by
its shortest decimal form, a boolean "True" or "False". A text is its own name, blanks and capitals
included. Null and NaN are no class.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
"""A text that is read as a number; "01" and "1e3" are texts."""


def class_name(value: object) -> str | None:
    """Return the name of the class that a label means; None for null and NaN, which mean none."""
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return None
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        text = f"{value:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    return str(value)


def class_names(labels: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the labels' names as strings, null where a label means no class."""
    import pyarrow as pa

    if pa.types.is_string(labels.type):
        return labels
    if pa.types.is_float32(labels.type) or pa.types.is_float16(labels.type):
        # The shortest form of the narrow number: as float64, 0.1 would be named
        # 0.10000000149011612.

        labels = labels.cast(pa.string()).cast(pa.float64())
    distinct = labels.unique()
    names = pa.array([class_name(v) for v in distinct.to_pylist()], pa.string())
    chunks: list[pa.Array] = [names.take(_positions(chunk, distinct)) for chunk in labels.chunks]
    return pa.chunked_array(chunks, pa.string())


def _positions(labels: pa.Array, distinct: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.index_in(labels, value_set=distinct)


def class_of(label: object, classes: Sequence[str]) -> str | None:
    """Return the one of a model's classes that a label means, or None where it means none of them.

    A class of exactly the label's name goes first. Else numbers are compared by value, so that 1,
    1.0, "1" and true mean the class "1", and a model that named its classes "1.0" or "True" (as
    models did that learnt from such columns) is understood.
    """
    name = class_name(label)
    if name is None or name in classes:
        return name
    value = _value(name)
    return next((c for c in classes if _value(c) == value), None) if value is not None else None


def _value(name: str) -> Decimal | None:
    """Return the number that a name stands for, or None where it stands for none."""
    if name in {"True", "False"}:
        return Decimal(name == "True")
    return Decimal(name) if _NUMBER.fullmatch(name) else None


def translate_classes(
    others: Sequence[str], classes: Sequence[str], labels: pa.DataType
) -> list[str]:
    """Return another model's classes by the names that `classes` give them, where labels are
    numbers or booleans.

    Texts differ as soon as one character does, so that there each class keeps its name.
    """
    import pyarrow as pa

    if pa.types.is_string(labels):
        return list(others)
    translations: list[str] = []
    for name in others:
        own = class_of(name, classes) or class_name(_value(name)) or name
        translations.append(own if own not in translations else name)
    return translations


def widen(values: Array, own: Sequence[str], classes: Sequence[str]) -> Array:
    """Return probabilities (n, k) with a column for each of the `classes`, which hold all own ones.

    What a model does not know has 0.
    """
    import numpy as np

    wide = np.zeros((len(values), len(classes)))
    wide[:, [list(classes).index(name) for name in own]] = values
    return wide


def binary_name(value: object, positive: object) -> str | None:
    """Return the name of the class that a label of a binary task means: the positive one's, or its
    own. None where it means none.
    """
    name = class_name(value)
    own = class_name(positive) or ""
    return name if name is None else class_of(name, [own]) or name


def place_of_binary(label: object, classes: Sequence[str]) -> int | None:
    """Return 0 or 1 for a label of a binary task whose classes have names (the positive one last).

    The label is a class as the data have it; or true and false, 1 and 0, where no class is a number
    and so nothing else can be meant. None where it is neither.
    """
    numbers = [_value(name) is not None for name in classes]
    booleans = set(classes) <= {"True", "False"}
    if isinstance(label, bool) and not booleans:
        return int(label)
    name = class_of(label, classes)
    if name is not None:
        return list(classes).index(name)
    if any(numbers) or not isinstance(label, int | float) or label not in {0, 1}:
        return None
    return int(label)
