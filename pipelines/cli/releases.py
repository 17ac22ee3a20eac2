"""Who serves, by hand: `rollback`, `promote`, `override`, `reconcile`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import answer_program, context_for, now, run_step, set_up_logging
from pipelines.errors import RequestError, TryAgain
from pipelines.ledger import Crown
from pipelines.messages import DeployResult
from pipelines.run_names import BY_HAND, OVERRIDE, PROMOTION, rollback_run
from pipelines.settings import load_settings
from pipelines.verdicts import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.context import Context

Model = Annotated[str, typer.Argument(help="The model: a folder's name under models/.")]
Name = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="The model: a folder's name under models/.")
]
Option = Annotated[str | None, typer.Option("--model", help="The same, as an option.")]
Request = Annotated[
    str | None,
    typer.Option(help="The whole request as JSON (for programs); by hand, leave it out."),
]
To = Annotated[
    int | None,
    typer.Option(
        "--to", metavar="RELEASE", help="The release to go back to; default: what served before."
    ),
]
Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(rollback)
    app.command()(promote)
    app.command()(override)
    app.command()(reconcile)


def rollback(
    name: Name = None,
    model: Option = None,
    request: Request = None,
    to: To = None,
    reason: Reason = "by hand",
    *,
    as_json: AsJson = False,
) -> None:
    """Go back to a release that served before.

    `perennial rollback MODEL`, or `--to RELEASE` as `perennial history` lists them.

    The older bundle is opened and must answer its golden requests before anything is touched; then
    it is released anew, under the next number. Until it serves, what serves now serves on. Nothing
    is retrained. In Airflow: the DAG rollback_MODEL.
    """
    model_name = name or model
    if not model_name:
        raise RequestError(
            "rollback needs a model.",
            remedy="`perennial rollback MODEL`; `perennial models` lists them.",
        )
    context = _context(model_name)
    if request is not None:
        answer_program(context, "rollback", request)
        return
    conf = {"reason": reason, **({} if to is None else {"to": to})}
    moment = now()
    run = f"{BY_HAND}{moment}"
    with _finished_later(context, rollback_run(run)):
        result = run_step(context, "rollback", {"run": run, "now": moment, "conf": conf})
    _tell(context, DeployResult.model_validate(result.model_dump()), as_json=as_json)


def promote(
    model: Model,
    version: Annotated[
        str, typer.Argument(help="The version, as MLflow and `perennial history` number it.")
    ],
    reason: Reason = "by hand",
    *,
    as_json: AsJson = False,
) -> None:
    """Have a version serve that was promoted before.

    It must have been packaged too, such as the one that a rollback took away.
    What the gate refused does not serve by this: see `perennial override`.
    """
    from pipelines.steps.rollback import promote as serve

    context, run = _context(model), f"{PROMOTION}{BY_HAND}{now()}"
    with _finished_later(context, run):
        result = serve(context, run=run, version=version, reason=reason)
    _tell(context, result, as_json=as_json)


def override(
    model: Model,
    version: Annotated[str, typer.Argument(help="The refused version, as MLflow numbers it.")],
    reason: Annotated[str, typer.Option(help="Why; it is needed, and stands in the ledger.")],
    by: Annotated[str, typer.Option(help="Who answers for it, by name.")],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also where another version serves since the verdict.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have a refused version serve: a person answers for it.

    `perennial override MODEL VERSION --by ann --reason "the champion leaks"`

    It overrules the gate, or whoever did not approve; no proof is left out: the version is fitted
    and compiled with proof, answers its golden requests, and goes back where the server refuses it.
    Ledger, release, pages and MLflow say for ever who did it, why, and what the refusal was.
    """
    from pipelines.ops.override import OverrideOrder, carry_out

    context, run = _context(model), f"{OVERRIDE}{BY_HAND}{now()}"
    order = OverrideOrder.read(run=run, version=version, by=by, reason=reason)
    with _finished_later(context, run):
        result = carry_out(context, order, accept_newer=yes)
    _tell(context, result, as_json=as_json)


def reconcile(model: Model, *, as_json: AsJson = False) -> None:
    """Make what serves follow the ledger's champion.

    The registry's alias too: for after a crash, or a change by hand that nobody recorded.
    """
    from pipelines.deployment.orders import reconcile as make_agree

    changes = make_agree(_context(model))
    if as_json:
        print_json({"model": model, "changed": changes})
    else:
        typer.echo("\n".join(changes) if changes else "Everything agrees with the ledger already.")


@contextlib.contextmanager
def _finished_later(context: Context, run: str) -> Iterator[None]:
    """Say so where the switch was made and only what follows it could not be.

    The same command again would switch once more.
    """
    try:
        yield
    except TryAgain as error:
        entry = context.ports.ledger.find(context.spec.name, "champion", run)
        if entry is None:
            raise
        crown = entry.read(Crown)
        raise type(error)(
            f"Version {crown.version} serves as release {crown.release}, but"
            f" not all follows it yet: {error.message}",
            remedy=f"`perennial reconcile {context.spec.name}`; do not run this command again.",
        ) from error


def _context(model: str) -> Context:
    settings = load_settings()
    set_up_logging(settings.log_level)
    return context_for(model, settings)


def _tell(context: Context, result: DeployResult, *, as_json: bool) -> None:
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        typer.echo(f"{context.spec.name}: {words.release(result)}.")
