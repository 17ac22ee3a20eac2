"""`python -m demo`, which `make demo` runs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from demo.play import Play, play
from pipelines.errors import PerennialError
from pipelines.settings import load_settings, quiet

app = typer.Typer(add_completion=False)

WIDTH = 160
"""Columns where the output is no terminal, such as a log."""


@app.command()
def demo(
    model: Annotated[str, typer.Option(help="The model that lives.")] = "flight_delays",
    as_of: Annotated[
        str,
        typer.Option(
            help="When its life begins: the first version is trained on what was known by then."
        ),
    ] = "2013-03-01",
    months: Annotated[
        int,
        typer.Option(
            envvar="MONTHS",
            help="Windows to live through: months for flight_delays (10 are all).",
            min=1,
            max=120,
        ),
    ] = 4,
) -> None:
    """Train a first version, then live through the windows after it.

    Traffic, labels, drift checks, retraining where it must be.

    Starts the stack from a clean state. A client sends each window's rows to the serving API and
    tells what happened once it is known; the DAG drift_<model> looks at the window and starts
    retrain_<model> itself. At the end var/demo/ holds report.json and report.html. The stack keeps
    running; `make down` stops it. The state of an earlier demo is removed first, any other state is
    left alone.
    """
    moment = datetime.fromisoformat(as_of).replace(tzinfo=UTC)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    try:
        code = play(Play(load_settings(), model, moment, months), console)
    except PerennialError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    quiet()
    app()
