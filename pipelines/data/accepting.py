"""Taking a source's columns on as a model's schema: in its folder, and in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.data.schemas import agree_schema, read_columns
from pipelines.errors import StorageFull
from pipelines.full_disk import is_full
from pipelines.ledger import SchemaChange
from pipelines.refs import sha256
from pipelines.spec.schema import SCHEMA_FILE, load_schema, write_schema

if TYPE_CHECKING:
    from pipelines.context import Context


def accept_schema(context: Context) -> list[str]:
    """Write the schema that the source asks for; return its changes, a line for each.

    Nothing is written where nothing changes. Raises BadData where the source holds no one type for
    a column.
    """
    path = context.folder / SCHEMA_FILE
    known = load_schema(context.folder)
    schema, changes = agree_schema(known, read_columns(context), context.spec)
    if not changes:
        return []
    before = path.read_bytes() if path.is_file() else b""
    text = write_schema(schema).encode()
    temporary = path.with_name(f".{SCHEMA_FILE}.new")
    try:
        temporary.write_bytes(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if is_full(error):
            raise StorageFull(
                f"No space is left for {path}.", remedy="free space there, then run again."
            ) from error
        raise
    after = sha256(text)
    change = SchemaChange(changes=changes, before=sha256(before) if before else "", after=after)
    # The same file may be taken on again after another one was.
    count = len(context.ports.ledger.entries(context.spec.name, "schema"))
    context.ports.ledger.append(context.spec.name, f"{count}:{after}", change)
    return changes
