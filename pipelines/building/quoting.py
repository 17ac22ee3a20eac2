"""Names and texts within SQL for DuckDB, which may hold any sign."""

from __future__ import annotations


def quote_name(name: str) -> str:
    """Return a column's or a table's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
