"""How the tables of a file are written: what `files` and `http` sources say beside their place.

Each option stands for one thing that a reader would otherwise have to guess. What is left out is
what the format's own standard says; `perennial init` finds the rest by looking.
"""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pipelines.refs import Value
from pipelines.spec.column_types import ColumnType

Format = Literal["csv", "parquet", "json", "arrow", "excel", "delta"]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Sign = Annotated[str, StringConstraints(min_length=1, max_length=1)]

_RANGE = re.compile(r"^[A-Z]{1,3}[1-9][0-9]{0,6}(:[A-Z]{1,3}([1-9][0-9]{0,6})?)?$")
_OF_FORMAT: dict[str, tuple[str, ...]] = {
    "delimiter": ("csv",),
    "encoding": ("csv", "json"),
    "quote": ("csv",),
    "comment": ("csv",),
    "skip": ("csv", "excel"),
    "header": ("csv", "excel"),
    "names": ("csv", "excel"),
    "decimal": ("csv", "json", "excel"),
    "thousands": ("csv", "json", "excel"),
    "missing": ("csv", "json", "excel"),
    "sheet": ("excel",),
    "range": ("excel",),
    "table_version": ("delta",),
    "flatten": ("json", "parquet", "arrow", "delta"),
}
"""The formats in which an option means something; those that are not named here go with all."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"no time zone is named {name!r}; write one of the IANA names, such as Europe/Berlin"
        raise ValueError(msg) from error
    return name


def _encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
    except LookupError as error:
        msg = f"no encoding is named {name!r}; write utf-8, cp1252, latin-1, utf-16 or the like"
        raise ValueError(msg) from error
    if not codec._is_text_encoding:  # noqa: SLF001 -- CPython's own mark of codecs between texts
        msg = f"{name!r} is no encoding of texts; write utf-8, cp1252, latin-1 or the like"
        raise ValueError(msg)
    return name


def _directives(text: str) -> str:
    if "%" not in text:
        msg = "write strptime's directives, such as %d.%m.%Y"
        raise ValueError(msg)
    return text


def _range(text: str) -> str:
    if not _RANGE.fullmatch(text):
        msg = "write it as in Excel: A3:F200, A3:F or A3"
        raise ValueError(msg)
    return text


Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
DateFormat = Annotated[
    str, StringConstraints(min_length=2, max_length=64), AfterValidator(_directives)
]


class TableOptions(Value):
    """How the tables are written."""

    format: Format | None = None
    """Default: what the file's name says."""
    delimiter: Sign | None = None
    """Between the fields of a CSV; default `,`."""
    encoding: Annotated[str, StringConstraints(max_length=40), AfterValidator(_encoding)] = "utf-8"
    """The encoding of a text file: utf-8, cp1252, latin-1, utf-16 …"""
    quote: Sign | Literal["none"] = '"'
    """Around fields that hold delimiters, or `none`."""
    header: bool = True
    """Whether the first row holds the names of the columns."""
    names: Annotated[list[ColumnName], Field(min_length=1, max_length=10_000)] | None = None
    """The names of the columns, from left to right; instead of the header's where there is one."""
    skip: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Lines before the header (or the first row) that are no table."""
    comment: Sign | None = None
    """Lines that begin with it are left out."""
    missing: Annotated[list[str], Field(max_length=100)] | None = None
    """Texts that stand for a missing value, in columns of every type.

    Default: an empty field; among numbers and booleans also NA, NULL and the like.
    """
    decimal: Literal[".", ","] = "."
    """The decimal sign."""
    thousands: Literal[",", ".", " ", "'", "_"] | None = None
    """The sign between groups of three digits; default none."""
    dates: DateFormat | dict[ColumnName, DateFormat] = Field(default_factory=dict)
    """How times are written (strptime's directives), for all columns of times or by column.

    Default: ISO 8601.
    """
    types: dict[ColumnName, ColumnType] = Field(default_factory=dict)
    """Types of columns, where looking at the values would find another one.

    Of a model with a `schema.yaml` that file alone decides.
    """
    sheet: Annotated[str, StringConstraints(min_length=1, max_length=31)] | None = None
    """Default: the first one."""
    range: Annotated[str, AfterValidator(_range)] | None = None
    """The cells of a sheet that hold the table, such as A3:F200, A3:F or A3."""
    table_version: Annotated[int, Field(ge=0)] | None = None
    """The version of a Delta table; default the newest."""
    flatten: bool = False
    """Whether fields of nested columns become columns of their own, such as `address_city`.

    Else nested columns stay as they are, for `build` to take apart.
    """

    @model_validator(mode="after")
    def _check_options(self) -> TableOptions:
        if self.format is not None:
            for name in sorted(self.model_fields_set & set(_OF_FORMAT)):
                # A reader in another process is sent the defaults too.
                is_default = getattr(self, name) == TableOptions.model_fields[name].default
                if self.format not in _OF_FORMAT[name] and not is_default:
                    msg = (
                        f"`{name}` means nothing in {self.format}; it is an option of"
                        f" {', '.join(_OF_FORMAT[name])}"
                    )
                    raise ValueError(msg)
        if not self.header and self.names is None and self.format in {None, "csv", "excel"}:
            msg = "`header: false` needs `names`, the names of the columns from left to right"
            raise ValueError(msg)
        if self.names is not None and len(set(self.names)) < len(self.names):
            msg = "`names` must differ"
            raise ValueError(msg)
        signs = {
            "delimiter": self.delimiter or ",",
            "quote": self.quote,
            "decimal": self.decimal,
            "thousands": self.thousands,
            "comment": self.comment,
        }
        _check_signs({k: v for k, v in signs.items() if v is not None})
        return self


def _check_signs(signs: dict[str, str]) -> None:
    """Raise ValueError where one sign has two meanings (a decimal comma may stand in quotes)."""
    for one, other in (
        ("delimiter", "quote"),
        ("delimiter", "comment"),
        ("quote", "comment"),
        ("decimal", "thousands"),
    ):
        if one in signs and signs[one] == signs.get(other):
            msg = f"`{one}` and `{other}` are both {signs[one]!r}; they must differ"
            raise ValueError(msg)
