"""How commands print: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.errors import RequestError
from pipelines.spec.folders import SLOW_SECONDS, say_slow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")
]


def print_json(body: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False, default=str) + "\n")


def write_page(path: Path, page: bytes) -> None:
    """Write a page to a file of the user's. Raises RequestError where that cannot be."""
    try:
        path.write_bytes(page)
    except OSError as error:
        raise RequestError(
            f"The page cannot be written to {path}: {error.strerror or error}.",
            remedy="name a file in a folder that exists and that you may write to.",
        ) from error


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; values are data, never markup.

    What is too long for its column goes on in the next line: a name that is cut is no name.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    Console().print(table)


def tell_slow(folder: Path, seconds: dict[str, float]) -> None:
    """Tell of folders that take long to read, on stderr: the slowest first."""
    for name, took in sorted(seconds.items(), key=lambda item: -item[1]):
        if took > SLOW_SECONDS:
            typer.echo(f"warning: {say_slow(f'{folder.name}/{name}', took)}", err=True)
