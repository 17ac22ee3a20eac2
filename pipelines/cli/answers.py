"""What the ledger answers: `who-served`, `why`, `why-prediction`, `lineage`, `export`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.answers import words
from pipelines.answers.export import Form, export_lines
from pipelines.answers.lineage import resting_on
from pipelines.answers.origins import why as explain
from pipelines.answers.service import expect_known, parse_moment
from pipelines.answers.service import who_served as find_served
from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.answers.origins import Origin
    from pipelines.answers.words import Line
    from pipelines.refs import Value

Model = Annotated[str, typer.Argument(help="The model; its folder may be gone by now.")]
Version = Annotated[str, typer.Argument(help="The version, as MLflow numbers it.")]

SHOWN = 20
"""Rows of a request that are printed."""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(who_served)
    app.command()(why)
    app.command()(why_prediction)
    app.command()(lineage)
    app.command()(export)


def who_served(
    model: Model,
    *,
    at: Annotated[
        str | None,
        typer.Option(help="The moment in UTC, such as 2013-04-01T12:00 (default: now)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which version served a model at a moment, and why.

    `perennial who-served sales --at 2013-04-01T12:00`

    The answer is the ledger's, after a check that nobody touched it: who was the champion. Whether
    the server was up then is not in it. A clock that went backwards changes no order.
    """
    ports, now = _ports(model), datetime.now(UTC)
    served = find_served(ports.ledger, model, now if at is None else parse_moment(at))
    _show(model, words.say_served(served, now), served, as_json=as_json)


def why(model: Model, version: Version, *, as_json: AsJson = False) -> None:
    """Say what a version was made from, and who let it serve.

    Its verdict, who approved it, when it served; its code, lock and seed, features, expectations,
    and each batch. `--json` has every hash whole. What an earlier Perennial did not record, and
    what is no longer in the store, says so.
    """
    ports = _ports(model)
    origin = explain(ports.ledger, ports.store, model, version)
    _show(f"{model}, version {version}", words.say_origin(origin), origin, as_json=as_json)
    if not as_json:
        _print_batches(origin)


def why_prediction(
    model: Model,
    request_id: Annotated[str, typer.Argument(help="The request_id that the answer carried.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say which version answered a request, and why that one.

    Each row with its inputs (personal ones hashed or left out), its answer and the label that came,
    by the inference log; then the version, as `perennial why` tells it.
    """
    from pipelines.answers.predictions import why_prediction as explain_prediction

    ports = _ports(model)
    answer = explain_prediction(ports.ledger, ports.store, model, request_id)
    if as_json:
        _print_json(answer)
        return
    for row in answer.rows[:SHOWN]:
        _print(f"{model}, request {request_id}, row {row.row}", words.say_row(row))
    if len(answer.rows) > SHOWN:
        typer.echo(f"… and {len(answer.rows) - SHOWN} more rows: --json")
    for origin in answer.why:
        _print(f"{model}, version {origin.version}", words.say_origin(origin))
    lines = [("unknown", f"version {version} is not in the ledger") for version in answer.unknown]
    _print("", [*lines, *(("damage", problem) for problem in answer.damage)])


def lineage(
    model: Model,
    *,
    batch: Annotated[
        str | None,
        typer.Option(help="A batch: its interval's start (2013-03-01T00), or its manifest's hash."),
    ] = None,
    version: Annotated[str | None, typer.Option(help="A version, to its batches.")] = None,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Name each prediction that rests on the batch.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what rests on a batch, or what a version rests on.

    `perennial lineage sales --batch 2013-03-01T00` names the features, versions and
    releases that rest on it, and counts the predictions;
    `perennial lineage sales --version 3` names the batches behind a version.
    """
    if (batch is None) == (version is None):
        raise RequestError("lineage takes either --batch or --version.")
    ports = _ports(model)
    if version is not None:
        origin = explain(ports.ledger, ports.store, model, version)
        data = [line for line in words.say_origin(origin) if line[0] in {"features", "batches"}]
        if as_json:
            _print_json(origin, include={"model", "version", "features", "batches", "missing"})
        else:
            _print(f"{model}, version {version}", data)
            _print_batches(origin)
        return
    from pipelines.answers.predictions import with_predictions

    resting = resting_on(ports.ledger, ports.store, model, batch or "")
    resting = with_predictions(ports.store, resting, named=predictions)
    _show(f"{model}, batch {batch}", words.say_resting(resting), resting, as_json=as_json)
    if not as_json and resting.versions:
        rows = words.versions_resting(resting)
        _table("Versions that rest on it", ["version", "served", "predictions"], rows)
    if not as_json and resting.rows:
        columns = ["request", "row", "at", "version"]
        rows = [[r.request_id, str(r.row), iso(r.at), r.version] for r in resting.rows]
        _table("Predictions that rest on it", columns, rows)


def export(
    model: Annotated[str | None, typer.Argument(help="The model; all when left out.")] = None,
    *,
    form: Annotated[
        Form,
        typer.Option("--format", help="Entries as they are, or OpenLineage's RunEvents."),
    ] = "jsonl",
) -> None:
    """Print the ledger's entries, a JSON object on each line.

    `perennial export --format openlineage > events.jsonl`

    Oldest first, after a check that nobody touched them.
    """
    ports = _ports(model)
    sys.stdout.writelines(export_lines(ports.ledger, model, form))


def _ports(model: str | None) -> ConfiguredPorts:
    """Return the ports, after a check of the ledger and of the model's name."""
    settings = load_settings()
    ports = ConfiguredPorts(settings)
    ports.check_ledger()
    if model is not None:
        expect_known(ports.ledger, settings.models, model)
    return ports


def _show(title: str, lines: Iterable[Line], value: Value, *, as_json: bool) -> None:
    if as_json:
        _print_json(value)
    else:
        _print(title, lines)


def _print_json(value: Value, include: set[str] | None = None) -> None:
    """Print a value as JSON; what is no number is null."""
    print_json(json.loads(value.model_dump_json(include=include)))


def _print(title: str, lines: Iterable[Line]) -> None:
    if title:
        typer.echo(words.on_one_line(title))
    for name, text in lines:
        typer.echo(f"  {name:<11} {words.on_one_line(text)}")


def _print_batches(origin: Origin) -> None:
    if origin.batches:
        rows = [[b.use, b.batch, b.version, b.manifest[: words.HASH]] for b in origin.batches]
        _table("Batches", ["use", "batch", "version", "manifest"], rows)


def _table(title: str, columns: list[str], rows: Iterable[Sequence[object]]) -> None:
    print_table(title, columns, [[words.on_one_line(cell) for cell in row] for row in rows])
