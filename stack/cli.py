"""The stack's commands: up, status, down, logs, run."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from pipelines.errors import PerennialError
from pipelines.settings import load_settings
from pipelines.spec import load_all
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.environment import environment
from stack.keys import PASSWORDS, USER, password
from stack.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stack.health import Health

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=(
        "Run Airflow, MLflow and the server on this machine, on 127.0.0.1 only, under one"
        " supervisor.\n\n"
        "Everything lies below the state folder ([bold]PERENNIAL_STATE[/], default var/): logs in"
        " log/, databases in airflow/ and mlflow/, keys in secrets/.\n\n"
        "A second stack runs beside the first with another PERENNIAL_STATE and other ports"
        " (PERENNIAL_AIRFLOW_PORT, PERENNIAL_MLFLOW_PORT, PERENNIAL_SERVING_PORT). Where"
        " PERENNIAL_MLFLOW_URI or PERENNIAL_SERVING_URL point elsewhere, that program is not"
        " started here.\n\n"
        "[bold]PERENNIAL_EXECUTOR=celery[/] starts a broker (Debian's redis-server) and two"
        " workers, as in a stack of many machines. PERENNIAL_BROKER_URL names a broker of your own"
        " (RabbitMQ or Redis)."
    ),
)
"""Typer's application."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def _or_exit(work: Callable[[], int]) -> None:
    """Run a command; show one of our errors as a sentence, and leave with its exit code."""
    try:
        code = work()
    except PerennialError as error:
        err.print(f"error: {error}")
        code = error.exit_code
    raise typer.Exit(code)


@app.command()
def up(
    timeout: Annotated[
        float,
        typer.Option(
            help=(
                "Seconds until everything must be healthy; a program that still computes gets up to"
                " five times as long."
            ),
            min=1,
        ),
    ] = 240,
) -> None:
    """Start the stack and wait until it is healthy.

    Where it runs already, nothing is done. A program that dies is started again. What a killed
    stack left behind is ended first. When something does not come up, the end of
    its log is shown and nothing is left running.
    """

    def work() -> int:
        layout = Layout(load_settings())
        out.print(f"Starting the stack in {layout.state} …", markup=False)
        reports = control.up(
            layout,
            os.environ,
            say=lambda text: out.print(text, markup=False),
            timeout_seconds=timeout,
        )
        if all(health.is_healthy for health in reports):
            good, _ = load_all(layout.settings.models)
            with AirflowApi(layout.airflow_url, USER, password(layout.secrets)) as api:
                for message in await_dags(api, good.values(), timeout_seconds=timeout):
                    out.print(message, markup=False)
        _show(layout, reports)
        return 0 if all(health.is_healthy for health in reports) else 1

    _or_exit(work)


@app.command()
def status(
    # Typer's way of saying a flag.
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
    show_password: Annotated[  # noqa: FBT002 -- typer's way of saying a flag
        bool, typer.Option("--show-password", help="Print the password of Airflow's user too.")
    ] = False,
) -> None:
    """Show each program: its state, process id, uptime and address.

    Exit code 1 where one is not healthy.
    """

    def work() -> int:
        layout = Layout(load_settings())
        reports = control.status(layout)
        if as_json:
            sys.stdout.write(json.dumps([asdict(health) for health in reports], indent=2) + "\n")
        else:
            _show(layout, reports)
        if show_password:
            sys.stdout.write(password(layout.secrets) + "\n")
        return 0 if all(health.is_healthy for health in reports) else 1

    _or_exit(work)


@app.command()
def down() -> None:
    """Stop everything, also what a killed supervisor left behind.

    Data and logs are kept.
    """

    def work() -> int:
        was_running = control.down(
            Layout(load_settings()), say=lambda text: out.print(text, markup=False)
        )
        out.print("The stack is down." if was_running else "The stack was not running.")
        return 0

    _or_exit(work)


@app.command()
def logs(
    program: Annotated[
        str,
        typer.Argument(
            help="scheduler, api-server, dag-processor, triggerer, mlflow, serving, supervisord;"
            " with PERENNIAL_EXECUTOR=celery also broker, worker-1, worker-2."
        ),
    ],
    lines: Annotated[int, typer.Option("-n", help="How many lines of its end.", min=1)] = 50,
) -> None:
    """Print the end of a program's log."""

    def work() -> int:
        sys.stdout.write(
            # A text, not a path.
            control.tail(
                Layout(load_settings()).log(os.path.basename(program)),  # noqa: PTH119
                lines,
            )
            + "\n"
        )
        return 0

    _or_exit(work)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="For example: airflow dags list")],
) -> None:
    """Run a command in the stack's environment, such as Airflow's."""

    def work() -> NoReturn:
        environ = environment(Layout(load_settings()), os.environ)
        # The user's own command, without a shell.
        os.execvpe(command[0], command, environ)  # noqa: S606

    _or_exit(work)


def _show(layout: Layout, reports: Sequence[Health]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("program", "state", "pid", "uptime", "address", ""):
        table.add_column(column, overflow="fold")
    colours = {"healthy": "green", "starting": "yellow", "unhealthy": "red", "down": "red"}
    for health in reports:
        uptime = (
            "" if health.uptime_seconds is None else str(timedelta(seconds=health.uptime_seconds))
        )
        state = f"[{colours[health.state]}]{health.state}[/]"
        table.add_row(health.name, state, str(health.pid or ""), uptime, health.url, health.detail)
    out.print(table)
    if any(health.is_healthy for health in reports):
        out.print(
            f"\nAirflow: {layout.airflow_url}  user {USER}, password in"
            f" {layout.secrets / PASSWORDS}",
            markup=False,
        )
