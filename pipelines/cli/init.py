"""`init`: from data, wherever they lie, to the folder of a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import set_up_logging
from pipelines.errors import RequestError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.onboarding.talk import Talk
    from pipelines.settings import Settings

HELP = """Write the folder of a new model from data that you have.

Looks at all of the data and writes models/NAME/ and expectations/NAME.json: each line with its
reason. It asks where it is not sure; without a terminal, or with --yes, it says what it assumed.
Then run `perennial check NAME`.

\b
Examples:
  perennial init churn --from customers.csv --target left
  perennial init demand --from 's3://shop/sales/*.parquet' --time day
  perennial init late --from 'SELECT * FROM orders' --database shop
  perennial init trial --example EXAMPLE

Exit code 65 where the data cannot be understood: it says what was not, and what to pass.
"""
FORMATS = ("csv", "parquet", "json", "arrow", "excel", "delta")
TASKS = ("binary", "multiclass", "regression")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(no_args_is_help=True, help=HELP)(init)


def init(  # noqa: PLR0913 -- the options of a command
    name: Annotated[str, typer.Argument(help="The new model's name: lower case, digits and _.")],
    *,
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A file, a folder, a pattern in quotes, a URI (s3://…, https://…), or a query that"
            " begins with SELECT.",
        ),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option(help="Copy a worked example instead; a wrong name lists them."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    positive: Annotated[
        str | None, typer.Option(help="Of a target with two values: the one to predict.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="binary, multiclass or regression.")] = None,
    time: Annotated[
        str | None, typer.Option(help="The column that says when a row happened; `none`: no time.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A column of the key; may stand several times.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column that is an input though it looks like a leak."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(help="A query's database: the setting PERENNIAL_SQL_<NAME> holds its URL."),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="csv, parquet, json, arrow, excel or delta.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="The sign between fields.")] = None,
    encoding: Annotated[str | None, typer.Option(help="utf-8, cp1252, latin-1 …")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal sign: . or ,")] = None,
    missing: Annotated[
        list[str] | None, typer.Option(help="A text that stands for no value.")
    ] = None,
    skip: Annotated[int | None, typer.Option(help="Lines before the table.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook.")] = None,
    date_format: Annotated[
        list[str] | None,
        typer.Option(help="How a column's times are written: COLUMN=%d.%m.%Y."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="The zone of times without one, such as Europe/Berlin.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a model that is there.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: take what is assumed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the folder of a new model from data that you have."""
    from pipelines.onboarding.talk import Talk

    settings = load_settings()
    set_up_logging("ERROR")
    _check_choices(place, example, task, format_)
    talk = Talk(None if yes or as_json or not sys.stdin.isatty() else _ask)
    if example is not None:
        paths = _copy(settings, example, name, force=force)
    else:
        options = {
            "format": format_, "delimiter": delimiter, "encoding": encoding, "decimal": decimal,
            "missing": missing, "skip": skip, "sheet": sheet, "timezone": timezone,
            "dates": _dates(date_format or []),
        }  # fmt: skip
        wishes = {
            "target": target, "time": time, "key": key or (), "positive": positive, "task": task,
            "keep": keep or (),
        }  # fmt: skip
        paths = _start(settings, name, str(place), database, options, wishes, talk, force=force)
    if as_json:
        _print_as_json(name, paths, talk)
    else:
        _tell(name, paths, talk)


def _check_choices(
    place: str | None, example: str | None, task: str | None, format_: str | None
) -> None:
    """Raise RequestError where options exclude each other or name what there is not."""
    if (place is None) == (example is None):
        raise RequestError(
            "init needs either --from or --example.",
            remedy="perennial init NAME --from FILE, or perennial init NAME --example EXAMPLE.",
        )
    if task is not None and task not in TASKS:
        raise RequestError(f"--task {task} is no task.", remedy=f"pass one of {', '.join(TASKS)}.")
    if format_ is not None and format_ not in FORMATS:
        raise RequestError(
            f"--format {format_} is no format.", remedy=f"pass one of {', '.join(FORMATS)}."
        )


def _print_as_json(name: str, paths: list[str], talk: Talk) -> None:
    print_json({
        "model": name, "files": paths, "findings": talk.findings,
        "assumptions": talk.assumptions, "warnings": talk.warnings,
    })  # fmt: skip


def _copy(settings: Settings, example: str, name: str, *, force: bool) -> list[str]:
    from pipelines.onboarding.folder import copy_example

    return copy_example(settings, example, name, force=force)


def _start(
    settings: Settings,
    name: str,
    place: str,
    database: str | None,
    options: dict[str, Any],
    wishes: dict[str, Any],
    talk: Talk,
    *,
    force: bool,
) -> list[str]:
    from pipelines.onboarding.plan import Wishes
    from pipelines.onboarding.start import Request, start_model

    given = {k: v for k, v in options.items() if v not in (None, {}, [])}
    request = Request(name, place, database, given, Wishes(**wishes), force)
    return start_model(request, settings, talk)


def _dates(pairs: list[str]) -> dict[str, str]:
    """Return the formats by column. Raises RequestError where one is not COLUMN=FORMAT."""
    wrong = [p for p in pairs if "=" not in p or "%" not in p.split("=", 1)[1]]
    if wrong:
        raise RequestError(
            f"--date-format {wrong[0]}: expected a column and a format.",
            remedy="write --date-format day=%d.%m.%Y.",
        )
    return dict(p.split("=", 1) for p in pairs)


def _ask(question: str, assumption: str, choices: Sequence[str]) -> str:
    """Ask a person at the terminal until the answer is one of the choices."""
    while True:
        answer: str = typer.prompt(question, default=assumption)
        if answer in choices:
            return answer
        typer.echo(f"Please answer one of: {', '.join(choices)}.")


def _tell(name: str, paths: list[str], talk: Talk) -> None:
    for title, sentences in (
        ("Found", talk.findings),
        ("Assumed", talk.assumptions),
        ("WARNING", talk.warnings),
        ("Written", paths),
    ):
        if sentences:
            typer.echo(f"{title}:")
            for sentence in sentences:
                typer.echo(f"  - {sentence}")
    typer.echo(f"Next: perennial check {name}")
