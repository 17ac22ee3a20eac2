"""The types of a model's raw columns as its `schema.yaml` states them: a contract.

Every batch is read with it. It is found once by `perennial init` or `perennial check --accept`,
or written by hand.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from pipelines.errors import SpecError
from pipelines.plain_errors import problems, sentence
from pipelines.refs import Value
from pipelines.spec.column_types import ColumnType
from pipelines.spec.reading import NotYaml, read_yaml
from pipelines.spec.table_options import ColumnName, Zone

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_FILE = "schema.yaml"
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_/]*")
_NO_TEXTS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
"""Words that YAML 1.1 reads as something else."""


class Column(Value):
    """One column: its type, whether it may be null, and whether a batch may lack it.

    `timezone` is the zone of times that are written without one. `order` are the values of a
    `category`, the least first.
    """

    type: ColumnType
    """integer, float, decimal(10, 2), text, category, boolean, time, date, time_of_day, duration,
    bytes or nested.
    """
    nullable: bool = True
    """Whether a value may be missing."""
    optional: bool = False
    """Whether a batch may lack the column."""
    timezone: Zone | None = None
    """The zone of times that are written without one."""
    order: Annotated[list[str], Field(min_length=1, max_length=10_000)] | None = None
    """The values of a category, the least first."""

    @model_validator(mode="after")
    def _fits(self) -> Column:
        if (self.type == "category") != (self.order is not None):
            msg = "a `category` needs `order`, the list of its values, and nothing else has one"
            raise ValueError(msg)
        if self.order is not None and len(set(self.order)) < len(self.order):
            msg = "`order` names a value twice"
            raise ValueError(msg)
        if self.timezone is not None and self.type != "time":
            msg = "only a column of the type `time` has a `timezone`"
            raise ValueError(msg)
        return self


Columns = Annotated[dict[ColumnName, Column], Field(min_length=1, max_length=10_000)]


class Schema(Value):
    """The columns of each raw table, in their order."""

    version: Literal[1] = 1
    tables: dict[str, Columns]


def load_schema(folder: Path) -> Schema | None:
    """Return what a model's `schema.yaml` says; None where there is none.

    Raises SpecError naming file, line, field and remedy.
    """
    path = folder / SCHEMA_FILE
    subject = f"{folder.parent.name}/{folder.name}/{SCHEMA_FILE}"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpecError(
            f"{subject} cannot be read: {error.strerror}.", remedy="check its kind and its mode."
        ) from error
    return parse_schema(data, subject)


def parse_schema(data: bytes, subject: str) -> Schema:
    """Return the schema in a YAML text. Raises SpecError with a line for each problem."""
    try:
        document = read_yaml(data)
    except NotYaml as error:
        where = f"{subject}:{error.line}" if error.line else subject
        raise SpecError(f"{where}: not readable as YAML: {error}.") from error
    try:
        return Schema.model_validate(document.body)
    except ValidationError as error:
        lines = sorted(
            (document.line(problem.path), str(problem))
            for problem in problems(error, document.body, Schema)
        )
        raise SpecError(
            "\n".join(f"{subject}:{line}: {sentence(text)}" for line, text in lines)
        ) from error


def write_schema(schema: Schema) -> str:
    """Return the text of a `schema.yaml`, a line for each column."""
    lines = [
        "# The types of the raw columns: every batch is read with them.",
        "# After a wanted change of the source: perennial check MODEL --accept",
        "version: 1",
        "tables:",
    ]
    for table, columns in schema.tables.items():
        lines.append(f"  {table}:")
        for name, column in columns.items():
            body = ", ".join(
                f"{key}: {_literal(value)}"
                for key, value in column.model_dump(exclude_defaults=True).items()
            )
            lines.append(f"    {_literal(name)}: {{{body}}}")
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    """Return a value in YAML's flow style; a plain word that is no number stands as it is."""
    if isinstance(value, str) and _WORD.fullmatch(value) and value.lower() not in _NO_TEXTS:
        return value
    return json.dumps(value, ensure_ascii=False)
