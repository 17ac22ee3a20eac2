"""A query as a source: the rows of one interval of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.settings import database_url

if TYPE_CHECKING:
    from collections.abc import Mapping


def by_interval(source: Mapping[str, Any], time: str) -> str:
    """Return the query's rows between :start and :end.

    SQLite keeps times as texts, which `datetime` brings into one form.
    """
    column = f'"{time}"'
    start, end = ":start", ":end"
    url = database_url(str(source["database"]))
    if url.startswith("sqlite"):
        column, start, end = f"datetime({column})", "datetime(:start)", "datetime(:end)"
    if url.startswith(("mysql", "mariadb")):
        column = f"`{time}`"
    query = str(source["query"]).strip().replace(":", r"\:")
    rows = f"SELECT * FROM ({query}) AS rows_of_all"  # noqa: S608 -- the user's own query
    return f"{rows} WHERE {column} >= {start} AND {column} < {end}"
