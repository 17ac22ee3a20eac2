"""Type names of a suite, asked of the Arrow type that a column is kept as.

Pandas' own types change with a null.

`int64`, `str`, `datetime64[ns]` … mean what they mean to pandas for a column without nulls. An
Arrow type's own name (`decimal128(5, 2)`) is known too. docs/add-a-model.md lists the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.validation.columns import plain_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

TYPE_EXPECTATIONS = {
    "expect_column_values_to_be_of_type": "type_",
    "expect_column_values_to_be_in_type_list": "type_list",
    "expect_column_type_to_be": "type_",
}
"""The expectations on a column's type, and what each calls the names that it is given."""

_WIDE = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
_FAMILIES = {
    "whole": {"int", "integer", "int_", "long"},
    "float": {"float", "floating", "float_", "number"},
    "bool": {"bool", "bool_", "boolean", "booleandtype"},
    "text": {"str", "string", "text", "u", "unicode", "str_", "stringdtype"},
    "time": {"datetime64", "datetime", "timestamp", "datetimetzdtype", "datetime.datetime"},
    "date": {"date", "datetime.date"},
    "time of day": {"time", "datetime.time"},
    "duration": {"timedelta64", "timedelta", "duration"},
    "decimal": {"decimal", "decimal.decimal"},
    "bytes": {"bytes", "bytes_", "binary", "s"},
    "list": {"list"},
    "struct": {"dict", "struct"},
    "object": {"object", "object_", "o"},
}
_NAMES = {name: family for family, names in _FAMILIES.items() for name in names}
_ALIASES = {
    "double": "float64",
    "single": "float32",
    "half": "float16",
    "longlong": "int64",
    "intc": "int32",
    "short": "int16",
}
_PLAIN_KINDS = {"whole", "float", "bool", "time", "duration"}
"""Those that pandas never held as objects."""


def family(kind: pa.DataType) -> str:
    """Return what a column holds, in one word of `_FAMILIES` or by Arrow's own name.

    It is "null" where the column has no values.
    """
    from pyarrow import types

    kind = plain_type(kind)
    tests = {
        "null": types.is_null,
        "whole": types.is_integer,
        "float": types.is_floating,
        "bool": types.is_boolean,
        "text": lambda t: types.is_string(t) or types.is_large_string(t) or types.is_string_view(t),
        "time": types.is_timestamp,
        "date": types.is_date,
        "time of day": types.is_time,
        "duration": types.is_duration,
        "decimal": types.is_decimal,
        "bytes": lambda t: (
            types.is_binary(t) or types.is_large_binary(t) or types.is_fixed_size_binary(t)
        ),
        "list": lambda t: types.is_list(t) or types.is_large_list(t) or types.is_fixed_size_list(t),
        "struct": types.is_struct,
    }
    return next((name for name, test in tests.items() if test(kind)), str(kind))


def is_type(kind: pa.DataType, name: str) -> bool | None:
    """Tell whether a column's type is the one that is named.

    None where the name means nothing here.
    """
    held_family, exact = family(kind), _exact(kind)
    if name == str(plain_type(kind)):
        return True
    spelling = _ALIASES.get(name.lower(), name.lower())
    if spelling.startswith(("datetime64[", "timestamp[", "timedelta64[", "duration[")):
        # times are kept in microseconds of UTC, whatever their unit was
        spelling = spelling.partition("[")[0]
    is_named = (
        spelling in _NAMES
        or spelling in _WIDE
        or spelling in {"float16", "float32", "float64"}
        or _of_arrow(spelling)
    )
    if not is_named:
        return None
    if held_family == "null":
        return True
    if spelling in {"object", "object_", "o"}:
        return held_family not in _PLAIN_KINDS
    if spelling == "date" and held_family == "time":
        return False
    return (
        spelling == exact
        or _NAMES.get(spelling) == held_family
        or (held_family == "date" and _NAMES.get(spelling) == "time")
    )


def is_one_of_types(kind: pa.DataType, names: Iterable[str]) -> bool | None:
    """Tell whether a column's type is one of those named.

    None where none of the names means anything here.
    """
    answers = [is_type(kind, name) for name in names]
    verdicts = [a for a in answers if a is not None]
    return any(verdicts) if verdicts else None


def _exact(kind: pa.DataType) -> str:
    """Return NumPy's name of a number's type, Arrow's of any other."""
    names = {"halffloat": "float16", "float": "float32", "double": "float64"}
    return names.get(str(plain_type(kind)), str(plain_type(kind)))


def _of_arrow(name: str) -> bool:
    return name.startswith(
        ("decimal128(", "decimal256(", "list<", "struct<", "decimal32(", "decimal64(")
    )
