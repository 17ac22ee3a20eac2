"""`profile`: a look at a model's data, batch by batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.cli.running import context_for, set_up_logging
from pipelines.profiling import BATCHES, MOST_BATCHES
from pipelines.profiling.words import share_text, short

if TYPE_CHECKING:
    from pipelines.profiling.tables import TableProfile

SHOWN = 30
"""Columns of a table that are printed."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(profile)


def profile(
    model: Annotated[str, typer.Argument(help="The model: a folder's name under models/.")],
    *,
    batches: Annotated[
        int,
        typer.Option(min=1, max=MOST_BATCHES, help="How many of the newest batches to look at."),
    ] = BATCHES,
    as_json: AsJson = False,
) -> None:
    """Look at a model's data by column, and write the page.

    Of the newest batches: distributions, missing and unique values, what goes with the target,
    drift from the reference, quarantined rows. Personal columns are left out. Nothing is decided
    by it.
    """
    from pipelines.data.batches import newest_batches
    from pipelines.profiling.profile import profile_model
    from pipelines.profiling.publish import publish_profile

    set_up_logging("WARNING")
    context = context_for(model)
    newest = newest_batches(context.ports.store, context.spec, datetime.now(UTC), batches)
    found = profile_model(context, list(newest)[::-1])
    path = context.ports.store.path(publish_profile(context, found))
    if as_json:
        print_json({**found.figures(), "page_file": str(path)})
        return
    for table in found.tables:
        _show(table)
    typer.echo(f"Page: {path}")


def _show(table: TableProfile) -> None:
    """Print the columns of a table, the most telling first."""
    columns = ["column", "", "missing", "unique", "distance"]
    rows = [
        [
            short(c.name, 40),
            c.role,
            share_text(c.newest.missing) if c.newest else "not there",
            c.newest.unique if c.newest else None,
            _figure(c.distances[-1]),
            *([_figure(c.with_target)] if table.target else []),
        ]
        for c in table.columns[:SHOWN]
    ]
    title = f"{table.title}: {table.batches[-1]}" + (
        f", from {table.reference}" if table.reference else ""
    )
    print_table(title, columns + ([f"with {table.target}"] if table.target else []), rows)
    if len(table.columns) > SHOWN:
        typer.echo(f"… and {len(table.columns) - SHOWN} more columns, on the page.")
    if table.left_out:
        typer.echo("Left out: " + ", ".join(f"{n} ({why})" for n, why in table.left_out.items()))


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
