"""`python -m stack.demo`, which `make demo` runs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console

from pipelines.errors import PerennialError
from pipelines.settings import load_settings, quiet
from stack.demo.play import Play, play

app = typer.Typer(add_completion=False)

WIDTH = 140
"""Columns where the output is no terminal, such as a log."""


@app.command()
def demo(
    model: Annotated[str, typer.Option(help="The model to retrain.")] = "flight_delays",
    as_of: Annotated[str, typer.Option(help="The moment to live in: nothing later is seen in training.")] = "2013-04-01",
    days: Annotated[int, typer.Option(help="How many days after that moment are sent to the server.", min=1, max=31)] = 7,
) -> None:
    """Start the stack from a clean state, retrain a model through Airflow's REST API, and ask it about the days after.

    The stack keeps running; `make down` stops it. The state of an earlier demo is removed first, any other state is left alone.
    """
    moment = datetime.fromisoformat(as_of).replace(tzinfo=UTC)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    try:
        code = play(Play(load_settings(), model, moment, moment + timedelta(days=days)), console)
    except PerennialError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    quiet()
    app()
