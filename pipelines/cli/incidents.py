"""`incidents` and `incident`: what is wrong with a model, and a person's answer to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.answers.service import expect_known
from pipelines.answers.words import on_one_line
from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.errors import RequestError
from pipelines.incidents import (
    acknowledge,
    all_incidents,
    close,
    find_incident,
    open_incidents,
    snooze,
)
from pipelines.incidents.held_batches import admit_batch, held_batches
from pipelines.incidents.words import NAMES, TO_DO, say_seen, say_state
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import model_names
from pipelines.spec.units import parse_duration
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from datetime import timedelta

    from pipelines.incidents import Incident

Answer = Literal["show", "ack", "snooze", "close"]
Admit = Literal["show", "admit"]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(incidents)
    app.command()(incident)
    app.command()(quarantine)


def incidents(
    model: Annotated[
        str | None, typer.Argument(help="The model; those of all models when left out.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is wrong with a model, each thing once.

    An alarm, refused challengers, a failed run or a drift check that did not run opens an incident;
    the same again adds to it. What is closed, or was not seen for 30 days, is over.
    """
    settings = load_settings()
    ledger, now = ConfiguredPorts(settings).ledger, datetime.now(UTC)
    if model is not None:
        expect_known(ledger, settings.models, model)
    names = model_names(settings.models) if model is None else [model]
    find = all_incidents if everything else open_incidents
    found = [incident for name in names for incident in find(ledger, name, now)]
    if as_json:
        print_json([_as_json(i) for i in found])
    elif not found:
        typer.echo("Nothing is wrong." if not everything else "Nothing was ever wrong.")
    else:
        columns = ["model", "no.", "what", "state", "seen", "said"]
        print_table("Incidents", columns, [_row(i) for i in found])


def incident(
    model: Annotated[str, typer.Argument(help="The model.")],
    number: Annotated[int, typer.Argument(help="Its number, as `perennial incidents` lists it.")],
    answer: Annotated[
        Answer, typer.Argument(help="What to do with it; default: show it.")
    ] = "show",
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")] = "",
    by: Annotated[str, typer.Option(help="Who answers, by name.")] = "",
    lasting: Annotated[
        str, typer.Option("--for", help="Of `snooze`: how long, such as 8h or 7d.")
    ] = "1d",
    as_json: AsJson = False,
) -> None:
    """Show an incident, take it on, let it rest, or close it.

    `perennial incident sales 3 ack --by ann --reason "the upstream team knows"`

    `ack`: somebody sees to it. `snooze`: it rests for a while, and is open again then. `close`: it
    is over; if it shows again, another one is opened. Ledger and pages say who did it, and why.
    """
    settings = load_settings()
    ledger, now = ConfiguredPorts(settings).ledger, datetime.now(UTC)
    expect_known(ledger, settings.models, model)
    match answer:
        case "ack":
            found = acknowledge(ledger, model, number, by=by, reason=reason, now=now)
        case "snooze":
            until = now + _duration(lasting)
            found = snooze(ledger, model, number, until=until, by=by, reason=reason, now=now)
        case "close":
            found = close(ledger, model, number, by=by, reason=reason, now=now)
        case _:
            found = find_incident(ledger, model, number, now)
    if as_json:
        print_json(_as_json(found))
        return
    typer.echo(f"{model}, incident {number}: {NAMES[found.what]} ({found.cause})")
    lines = [("state", say_state(found)), ("seen", say_seen(found)), ("said", found.words)]
    if not found.is_over:
        lines.append(("to do", TO_DO[found.what]))
    for name, text in lines:
        typer.echo(f"  {name:<6} {on_one_line(text)}")


def quarantine(
    model: Annotated[str, typer.Argument(help="The model.")],
    batch: Annotated[
        str | None, typer.Argument(help="A batch, as it is listed; all of them when left out.")
    ] = None,
    answer: Annotated[Admit, typer.Argument(help="What to do with it; default: show it.")] = "show",
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")] = "",
    by: Annotated[str, typer.Option(help="Who answers, by name.")] = "",
    everything: Annotated[
        bool, typer.Option("--admit-all", help="Let in every batch that is held.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List batches that a broken pipe holds back, and let them in.

    `perennial quarantine sales 2024-01-07T00 admit --by ann --reason "it was a price rise"`

    No retraining learns from them until somebody says that nothing is broken there, or a drift
    check finds a newer version of the batch sound. What broke its expectations is let in by mending
    the source or the suite.
    """
    settings = load_settings()
    ledger = ConfiguredPorts(settings).ledger
    expect_known(ledger, settings.models, model)
    held = held_batches(ledger, model)
    names = sorted(held) if batch is None else [batch]
    if everything or answer == "admit":
        if (batch is None) != everything:
            raise RequestError(
                "Name one batch, or --admit-all.",
                remedy=f"`perennial quarantine {model} BATCH admit --by NAME --reason WHY`.",
            )
        names = sorted(held) if everything else names
        rows = [admit_batch(ledger, model, n, by=by, reason=reason) for n in names]
        if as_json:
            print_json([row.model_dump(mode="json") for row in rows])
        else:
            typer.echo("\n".join(f"{name}: retrainings learn from it again" for name in names))
        return
    shown = {name: held[name] for name in names if name in held}
    if as_json:
        print_json([q.model_dump(mode="json") for q in shown.values()])
    elif not shown:
        typer.echo("No batch is held.")
    else:
        columns = ["batch", "version", "what is seen in it"]
        cells = [[n, q.version, on_one_line(join(q.reasons))] for n, q in shown.items()]
        print_table(f"Batches of {model} that no retraining learns from", columns, cells)
        typer.echo(
            f"To let one in: perennial quarantine {model} BATCH admit --by NAME --reason WHY"
        )


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise RequestError(f"--for: {error}.") from error


def _row(incident: Incident) -> list[object]:
    cells = [NAMES[incident.what], say_state(incident), say_seen(incident), incident.words]
    return [incident.model, incident.number, *(on_one_line(cell) for cell in cells)]


def _as_json(incident: Incident) -> dict[str, object]:
    return {**incident.model_dump(mode="json"), "to_do": TO_DO[incident.what]}
