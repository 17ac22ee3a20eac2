"""Where a person still is, and how they are taken out: `traces`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import set_up_logging
from pipelines.errors import RequestError
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings

Column = Annotated[
    str | None,
    typer.Option(help="The column in which a number counts; without it, in every column."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(traces)


def traces(
    value: Annotated[str, typer.Argument(help="What to look for, such as a customer's number.")],
    *,
    column: Column = None,
    as_json: AsJson = False,
) -> None:
    """Say where a value still is, in all that the state holds.

    `perennial traces c-4711`, or `perennial traces 4711 --column customer`

    Batches, quarantine, features with all their revisions, inference log and labels, indexes,
    bundles, results, pages, MLflow, Airflow's logs, the ledger. Tables are compared by type and by
    whole cell; in texts a value counts where it stands alone, a number below six digits not at all.
    What nobody looked at (backups, the source) is named. Nothing is changed.

    Exit code 0 where there is no trace, else 1.
    """
    from pipelines.ops.traces.search import search, sought_of

    if not value.strip():
        raise RequestError("There is nothing to look for.", remedy="name a value.")
    settings = load_settings()
    set_up_logging("ERROR")
    found = search(settings, ConfiguredPorts(settings), [sought_of(settings, [value], column)])
    if as_json:
        print_json(
            {
                "traces": [{"place": t.place, "name": t.name} for t in found.traces],
                "looked_at": found.looked_at,
                "unseen": found.unseen,
            }
        )
    else:
        for trace in found.traces:
            typer.echo(f"{trace.place:<9} {trace.name}")
        typer.echo(
            f"{how_many(len(found.traces), 'trace')} in {found.looked_at:,} files and entries."
        )
        typer.echo("Not looked at: " + "; ".join(found.unseen) + ".")
    raise typer.Exit(1 if found.traces else 0)
