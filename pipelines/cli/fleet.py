"""`fleet`: how all models stand, in one table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.fleet import (
    COST_DAYS,
    STATES,
    Sort,
    State,
    choose,
    fleet,
    say_cost,
    say_turn,
    sort_states,
    turns_of,
)
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.fleet import ModelState


COLUMNS = [
    *("model", "state", "why", "owner", "tags", "champion"),
    f"cost, {COST_DAYS} d",
    "retraining",
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="fleet")(show_fleet)


def show_fleet(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Words that must stand in a model's name, owner or tags."),
    ] = None,
    *,
    owner: Annotated[str, typer.Option(help="Only the models of this owner.")] = "",
    tag: Annotated[str, typer.Option(help="Only the models with this tag.")] = "",
    state: Annotated[
        State | None, typer.Option(help="Only those that stand so.", show_choices=True)
    ] = None,
    sort: Annotated[Sort, typer.Option(help="By what they are sorted.")] = "state",
    limit: Annotated[int, typer.Option(help="How many rows; 0 for all.", min=0)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show how every model stands, the worst first.

    `perennial fleet --state red` `perennial fleet --owner pricing --sort cost`

    broken: its model.yaml cannot be read. red: an incident is open (`perennial incidents`). late: a
    drift check that was due has not run. drifting: the last check found drift. new: nothing serves
    yet. fine: none of these. A model that is two of them is shown as the first.

    cost: how long its retrainings of the last 30 days took, waiting included.

    retraining: whether one is under way, or since when it waits for its turn, its place in line and
    for what; shown where limits are set (PERENNIAL_RETRAININGS_AT_ONCE and others).

    All of it comes from specs and ledger; what serves is asked by `perennial status MODEL`.
    """
    settings = load_settings()
    good, broken = load_all(settings.models)
    ports = ConfiguredPorts(settings)
    ports.check_ledger()
    now = datetime.now(UTC)
    turns = turns_of(ports.ledger, sorted({*good, *broken}), settings, now)
    everybody = fleet(ports.ledger, good, broken, now, turns)
    chosen = choose(everybody, words=" ".join(words or []), owner=owner, tag=tag, state=state or "")
    chosen = sort_states(chosen, sort)
    if as_json:
        print_json([s.model_dump(mode="json") for s in chosen])
        return
    shown = chosen[:limit] if limit else chosen
    if shown:
        columns, rows = _without_empty(COLUMNS, [_row(s) for s in shown])
        print_table("Fleet", columns, rows)
    typer.echo(_summary(everybody, chosen, len(shown)))


def _row(s: ModelState) -> list[Any]:
    champion = f"{s.champion} since {s.since:%Y-%m-%d}" if s.champion and s.since else ""
    tags = ", ".join(s.tags)
    return [s.model, s.state, s.why, s.owner, tags, champion, say_cost(s), say_turn(s)]


def _without_empty(columns: list[str], rows: list[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return the columns in which some row has something."""
    kept = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _summary(everybody: Sequence[ModelState], chosen: Sequence[ModelState], shown: int) -> str:
    counts = {state: sum(s.state == state for s in chosen) for state in STATES}
    parts = [f"{count:,} {state}" for state, count in counts.items() if count]
    of = "" if len(chosen) == len(everybody) else f" of {len(everybody):,}"
    text = f"{how_many(len(chosen), 'model')}{of}" + (f": {', '.join(parts)}" if parts else "")
    if shown < len(chosen):
        text += f"; {shown:,} are shown, --limit 0 shows all"
    return text + "."
