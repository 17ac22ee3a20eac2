"""What there is and what happened: `models`, `history`, `schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.approvals import marks_of
from pipelines.cli.entry_sentences import marked_sentence
from pipelines.cli.output import AsJson, print_json, print_table, tell_slow
from pipelines.intervals import iso
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import json_schema, load_all, load_spec

if TYPE_CHECKING:
    from pipelines.approvals import Marks
    from pipelines.ledger import Entry

Model = Annotated[str, typer.Argument(help="The model: a folder's name under models/.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(models)
    app.command()(history)
    app.command()(schema)


def models(*, as_json: AsJson = False) -> None:
    """List the models, and what is wrong with a broken spec.

    The exit code is 65 when any is broken.
    """
    folder, seconds = load_settings().models, dict[str, float]()
    good, errors = load_all(folder, seconds)
    rows = [
        {
            "model": n,
            "task": s.task,
            "batch": s.batch or "snapshot",
            "owner": s.owner,
            "tags": s.tags,
            "description": s.description,
            "error": None,
            "seconds": round(seconds[n], 3),
        }
        for n, s in good.items()
    ]
    rows += [
        {
            "model": n,
            "task": None,
            "batch": None,
            "owner": None,
            "tags": [],
            "description": None,
            "error": str(e),
            "seconds": round(seconds[n], 3),
        }
        for n, e in errors.items()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            "Models", ["model", "task", "batch", "owner", "description"], [_row(r) for r in rows]
        )
    tell_slow(folder, seconds)
    if errors:
        raise typer.Exit(65)


def _row(row: dict[str, Any]) -> list[Any]:
    return [
        row["model"],
        row["task"] or "broken",
        row["batch"],
        row["owner"],
        row["description"] or row["error"],
    ]


def history(
    model: Model,
    *,
    limit: Annotated[int, typer.Option(help="How many of the newest entries.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show every decision about a model, oldest first.

    They come from the ledger, after a check that nobody touched the record.
    """
    settings = load_settings()
    load_spec(settings.models, model)  # a name that is none is told first
    ports = ConfiguredPorts(settings)
    total, ledger = ports.check_ledger(), ports.ledger
    entries, marks = ledger.entries(model, limit=limit), marks_of(ledger, model)
    if as_json:
        print_json([e.model_dump(mode="json") for e in entries])
        return
    print_table(
        f"Ledger of {model} ({how_many(total, 'entry')} in all, chain checked)",
        ["no.", "at", "what", "said"],
        [_entry(e, marks) for e in entries],
    )


def _entry(entry: Entry, marks: Marks) -> list[Any]:
    at = iso(entry.at.replace(microsecond=0))
    return [entry.seq, at, entry.kind, marked_sentence(entry, marks)]


def schema(*, as_json: AsJson = False) -> None:  # noqa: ARG001 -- the schema is JSON in any case
    """Print the JSON schema of model.yaml.

    Editors complete the file by it; docs/add-a-model.md says how.
    """
    print_json(json_schema())
