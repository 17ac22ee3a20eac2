"""`drift`: look at a window by hand, or (with a request) as a step of the loop; or make Evidently's
page of an earlier look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.airflow_pages import run_page
from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import answer_program, context_for, now, run_step, set_up_logging
from pipelines.errors import RequestError
from pipelines.messages import DriftResult
from pipelines.run_names import BY_HAND
from pipelines.settings import load_settings
from pipelines.verdicts import words

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.context import Context

Name = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="The model: a folder's name under models/.")
]
Option = Annotated[str | None, typer.Option("--model", help="The same, as an option.")]
Request = Annotated[
    str | None,
    typer.Option(help="The whole request as JSON (for programs); by hand, leave it out."),
]
WindowEnd = Annotated[
    str | None,
    typer.Option(help="By hand: where the window ends (default: with the newest complete batch)."),
]
PageOf = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        help="Make Evidently's page of an earlier look, gone or never made; nothing is entered.",
    ),
]


def drift(
    name: Name = None,
    model: Option = None,
    request: Request = None,
    window_end: WindowEnd = None,
    page_of: PageOf = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Look at a window; by hand, its batches are ingested and validated first.

    The command's help stands in `steps`.
    """
    model_name = name or model
    if not model_name:
        raise RequestError(
            "drift needs a model.", remedy="`perennial drift MODEL`; `perennial models` lists them."
        )
    settings = load_settings()
    set_up_logging(settings.log_level if request is not None else "WARNING")
    context = context_for(model_name, settings)
    if request is not None:
        answer_program(context, "drift", request)
        return
    if page_of is not None:
        _show_again(context, page_of, as_json=as_json)
        return
    result = _by_hand(context, window_end)
    page = context.ports.store.path(result.page)
    if as_json:
        print_json({**result.model_dump(mode="json"), "page_file": str(page), "started": None})
    else:
        typer.echo(_describe(context, result, page))


def _show_again(context: Context, run: str, *, as_json: bool) -> None:
    """Make Evidently's page of an earlier look and say where it is."""
    from pipelines.watch.page_again import make_page_again

    page = make_page_again(context, run)
    address = run_page(context.settings, context.spec.name, "evidently", run)
    if as_json:
        print_json({"run": run, "page": page.entry(), "address": address})
    else:
        typer.echo(f"Evidently's page of {run} is there: {address}")


def _by_hand(context: Context, window_end: str | None) -> DriftResult:
    moment = now()
    run = f"{BY_HAND}drift__{window_end or 'newest'}__{moment}"
    conf = {"reason": "by hand", **({"window_end": window_end} if window_end else {})}
    ingested = run_step(
        context, "ingest", {"run": run, "now": moment, "purpose": "drift", "conf": conf}
    ).model_dump(mode="json")
    validated = run_step(context, "validate", {"run": run, "ingest": ingested}).model_dump(
        mode="json"
    )
    return DriftResult.model_validate(
        run_step(
            context, "drift", {"run": run, "ingest": ingested, "validate": validated}
        ).model_dump()
    )


def _describe(context: Context, result: DriftResult, page: Path) -> str:
    """Return the verdict as a person reads it."""
    lines = [
        *(line.text for line in words.drift(result)),
        f"Page: {page}",
        (
            f"Nothing was started: only the DAG drift_{context.spec.name} decides and starts a"
            " retraining."
        ),
    ]
    return "\n".join(lines)
