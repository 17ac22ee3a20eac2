"""Where a person still is, and how they are taken out: `traces`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import context_for, set_up_logging
from pipelines.errors import RequestError
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.ops.erasure.erase import Erased
    from pipelines.ops.erasure.work import Work

Column = Annotated[
    str | None,
    typer.Option(help="The column in which a number counts; without it, in every column."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(traces)
    app.command()(erase)


def traces(
    value: Annotated[str, typer.Argument(help="What to look for, such as a customer's number.")],
    *,
    column: Column = None,
    backup: Annotated[
        list[Path] | None,
        typer.Option(help="A file of `perennial backup` to look into besides; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say where a value still is, in all that the state holds.

    `perennial traces c-4711`, or `perennial traces 4711 --column customer`

    Batches, quarantine, features with all their revisions, inference log and labels, indexes,
    bundles, results, pages, the ledger, and what MLflow and Airflow have: artifacts, logs and
    databases, inside the state and outside. Tables are compared by type and by
    whole cell; in texts a value counts where it stands alone, a number below six digits not at all.
    What nobody looked at (other backups, the source) is named. Nothing is changed.

    Exit code 0 where there is no trace, else 1.
    """
    from pipelines.ops.traces.backups import in_backup
    from pipelines.ops.traces.search import search, sought_of
    from pipelines.ops.traces.sought import can_be_sought

    if not can_be_sought(value):
        raise RequestError("There is nothing to look for.", remedy="name a value, in UTF-8.")
    settings = load_settings()
    set_up_logging("ERROR")
    sought = [sought_of(settings, [value], [column] if column else [])]
    found = search(settings, ConfiguredPorts(settings), sought)
    for path in backup or ():
        found.add(in_backup(path, sought))
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


def erase(
    model: Annotated[str, typer.Argument(help="The model, a folder below models/.")],
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY...", help="The people's keys, as in the rows.")
    ],
    *,
    column: Annotated[
        str | None,
        typer.Option(
            help="The column that names a person (default: `alike: {group: …}` of the spec, else"
            " the key's only column)."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without, nothing is changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a person's rows out of all that a model has stored.

    `perennial erase sales c-4711 --column customer --yes`

    Out of batches, quarantine, results, pages, inference log, labels, indexes, and features with
    all their revisions; of MLflow's artifacts and texts, of Airflow's logs and results of tasks;
    then all is searched. The versions that had learnt from the rows are marked
    for ever, and cannot be built again. The chain of the ledger stays whole: it names a person by a
    keyed hash alone. One that was killed goes on where it was.

    First take the person out of the source, or the next ingest brings them back. Backups and the
    fitted models stay: retrain, and make a new backup. What is left is named, and what to do.

    Exit code 0 when nothing is left (without --yes: when this can be done), 65 when the search
    still finds something, or nobody of that key is there.
    """
    from pipelines.ops.erasure.advice import advise
    from pipelines.ops.erasure.erase import erase as take_out
    from pipelines.ops.erasure.erase import look

    settings = load_settings()
    set_up_logging("ERROR")
    context, now = context_for(model, settings), datetime.now(UTC)
    context.ports.ledger.verify()
    if not yes:
        _show_plan(look(context, keys, column, now), as_json=as_json)
        return
    done = take_out(context, keys, column, now)
    if as_json:
        print_json({**asdict(done), "to_do": advise(done.left)})
    else:
        _show_done(done)
    raise typer.Exit(65 if done.left else 0)


def _show_plan(plan: Work, *, as_json: bool) -> None:
    """Show what would be done, without a word of the rows themselves."""
    if as_json:
        about = {"rows": plan.rows, "batches": len(plan.manifests), "versions": plan.versions}
        print_json({**about, "column": plan.column, "objects": len(plan.drop_objects)})
        return
    typer.echo(
        f"{how_many(plan.rows, 'row')} in {how_many(len(plan.manifests), 'batch')} by the column"
        f" {plan.column}, {how_many(len(plan.drop_objects), 'object')} of the store."
    )
    typer.echo(f"Versions that learnt from them: {', '.join(plan.versions) or 'none'}.")
    typer.echo("Nothing was changed. --yes erases them; take them out of the source first.")


def _show_done(done: Erased) -> None:
    from pipelines.ops.erasure.advice import advise

    if done.again:
        typer.echo(f"Nothing is left to erase: entry {done.entry} of the ledger did it.")
    else:
        typer.echo(
            f"Erased: {how_many(done.rows, 'row')} of {how_many(done.batches, 'batch')},"
            f" {how_many(done.objects, 'object')} with copies of them. Entry {done.entry}."
        )
        typer.echo(f"Versions that learnt from them: {', '.join(done.versions) or 'none'}.")
    for name in done.left:
        typer.echo(f"  left      {name}")
    typer.echo(f"The search found {how_many(len(done.left), 'trace')}.")
    typer.echo("Not looked at: " + "; ".join(done.unseen) + ".")
    for line in advise(done.left):
        typer.echo(line)
