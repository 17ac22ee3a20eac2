"""`rebuild`: a version built again, and compared with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.cli.running import context_for, now, set_up_logging
from pipelines.errors import NotReproduced, RequestError
from pipelines.run_names import BY_HAND
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.rebuilding.outcome import Rebuild


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(rebuild)


def rebuild(
    model: Annotated[str, typer.Argument(help="The model: a folder's name under models/.")],
    version: Annotated[str, typer.Argument(help="The version, as `perennial history` numbers it.")],
    *,
    from_folder: Annotated[
        bool,
        typer.Option(help="Build the model's folder as it is now, not as it was recorded."),
    ] = False,
    to_ledger: Annotated[
        bool, typer.Option("--record", help="Enter the outcome into the ledger.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build a version again, and compare it bit for bit.

    `perennial rebuild MODEL VERSION` takes the raw batches, the files of the model, the seed and
    the settings from the ledger, and builds features, model and bundle in a clean folder. It
    compares features, training, bundle, ONNX bytes, and the answers of both to up to 20,000 rows.

    With --from-folder it shows what a change to the folder does: nothing, or the first difference.
    What serves, the registry and the store are not touched. Exit codes: 0 equal; 65 it differs, or
    cannot be built. In Airflow: the DAG prove_MODEL.
    """
    if from_folder and to_ledger:
        raise RequestError(
            "--record is of what was recorded, --from-folder of something else.",
            remedy="leave one of them out.",
        )
    # These load scikit-learn, for which no other command should wait.
    from pipelines.rebuilding.prove import record
    from pipelines.rebuilding.rebuild import rebuild as build_again

    settings = load_settings()
    set_up_logging(settings.log_level)
    context = context_for(model, settings)
    found = build_again(context, version, from_folder=from_folder)
    if to_ledger:
        record(context, f"{BY_HAND}rebuild-{version}-{now()}", found)
    if as_json:
        derived = {"verdict": found.verdict, "differences": found.differences}
        print_json({**derived, **found.model_dump(mode="json")})
    else:
        _print(found)
    if found.differences:
        raise typer.Exit(NotReproduced.exit_code)


def _print(found: Rebuild) -> None:
    made = found.made_from
    lines: list[list[Any]] = [
        ["candidate", found.candidate],
        ["commit", made.commit or "no checkout"],
        ["lock", made.lock[:12] or "none"],
        ["features revision", found.features_revision[:12]],
        ["seed", made.seed],
        ["rows asked", f"{found.rows:,}"],
        ["identical answers", f"{found.identical:,}"],
        ["seconds", ", ".join(f"{part} {took:g}" for part, took in found.seconds.items())],
    ]
    print_table(f"{found.model}, version {found.version}", ["", ""], lines)
    for check in found.checks:
        if not check.equal:
            typer.echo(f"different: {check.sentence}")
            if check.detail:
                typer.echo(f"  {check.detail}")
    for text in found.causes:
        typer.echo(f"not as it was: {text}")
    for text in found.notes:
        typer.echo(text)
    typer.echo(f"{found.words[0].upper()}{found.words[1:]}.")
