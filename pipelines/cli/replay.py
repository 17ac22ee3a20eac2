"""`replay`: a policy lived through on a model's past, before it is trusted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.cli.running import answer_program, context_for, set_up_logging
from pipelines.errors import RequestError
from pipelines.intervals import Moment, iso
from pipelines.refs import Value
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.replay.outcome import PolicyOutcome, ReplayOutcome


class _At(Value):
    moment: Moment


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(  # noqa: PLR0913 -- each is an option of the command
    name: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="The model: a folder's name under models/."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The same, as an option.")] = None,
    request: Annotated[
        str | None,
        typer.Option(help="The whole request as JSON (for programs); by hand, leave it out."),
    ] = None,
    *,
    start: Annotated[
        str, typer.Option("--from", help="The first batch to live through, such as 2013-04-01.")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Where to end, exclusive.")] = "",
    policy: Annotated[
        list[Path] | None,
        typer.Option(help="A YAML file with a policy to try; may be given several times."),
    ] = None,
    only: Annotated[
        bool, typer.Option("--only", help="Compare the given policies alone, not the usual ones.")
    ] = False,
    all_look: Annotated[
        bool,
        typer.Option(
            "--look",
            help="Look at each window under each policy: counts the alarms of those that do not"
            " look themselves too (never, every n).",
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=16, help="Processes; default: as many as cores.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget what earlier replays have computed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Live through a model's past under several policies.

    Before each batch each policy looks back, retrains or not, and its gate lets the challenger
    serve or not; then the batch scores what serves. Labels arrive when they did. Compared are:
    never, every batch without a gate, every batch, every third one, and the model's own policy;
    with --policy FILE more: `retrain: {by: schedule, schedule: monthly}` as in model.yaml, or
    `every: 6`, and with it `gate: better`, `not_worse`, `none` or `spec` (the default).

    Such as `perennial replay MODEL --from 2013-01-01 --policy calm.yaml --only`, where calm.yaml
    says `retrain: {by: performance, at_most: 1 per month}`.

    Printed are the mean of the metric, the retrainings, the regret against the best in hindsight,
    and which policy to take, with an interval, or that it cannot be told; a dash for alarms where
    a policy does not look (--look lets each look). The page shows each batch. Nothing that serves
    is touched. What was computed is kept: a replay that was killed goes on, and another policy
    costs little more.
    """
    model_name = name or model
    if not model_name:
        raise RequestError(
            "replay needs a model.",
            remedy="`perennial replay MODEL`; `perennial models` lists them.",
        )
    since, until = _read_moment(start, "--from"), _read_moment(end, "--to")
    settings = load_settings()
    set_up_logging(settings.log_level if request is not None else "ERROR")
    context = context_for(model_name, settings)
    if request is not None:
        answer_program(context, "replay", request)
        return
    # These load scikit-learn, for which no other command should wait.
    from pipelines.replay.contenders import read_policy, usual
    from pipelines.replay.page import write_page
    from pipelines.replay.replaying import Manner
    from pipelines.replay.replaying import replay as live

    given = [read_policy(path, context.spec) for path in policy or ()]
    if only and not given:
        raise RequestError("--only compares nothing.", remedy="name policies by --policy FILE.")
    contenders = [*(() if only else usual(context.spec)), *given]
    found = live(
        context,
        contenders,
        span=(since, until),
        now=datetime.now(UTC),
        manner=Manner(workers=workers, fresh=fresh, all_look=all_look),
        say=lambda text: typer.echo(text, err=True),
    )
    page = write_page(context.settings, found)
    if as_json:
        print_json({**found.model_dump(mode="json"), "page_file": str(page)})
        return
    _print(found.outcome)
    typer.echo(f"Computed for {found.costs.together:,.0f} s in all. Page: {page}")


def _read_moment(text: str, option: str) -> datetime | None:
    if not text:
        return None
    try:
        return _At.model_validate({"moment": text}).moment
    except ValueError as error:
        raise RequestError(
            f"{option} {text!r} is no date.", remedy="write it as 2013-04-01 or with a time."
        ) from error


def _print(outcome: ReplayOutcome) -> None:
    from pipelines.replay.words import advice_lines

    unit = f" {outcome.unit}" if outcome.unit else ""
    title = (
        f"{outcome.model}: {outcome.metric}{unit} of {len(outcome.intervals)} batches,"
        f" {iso(outcome.start)[:10]} to {iso(outcome.end)[:10]}"
    )
    columns = ["policy", "mean", "regret", "best in hindsight", "retrained", "refused", "alarms"]
    print_table(title, columns, [_row(each) for each in outcome.policies])
    for passed in outcome.passed_over:
        typer.echo(f"Passed over: {passed.batch}: {passed.why}")
    for line in advice_lines(outcome):
        typer.echo(line)


def _row(policy: PolicyOutcome) -> list[object]:
    return [
        policy.name,
        _figure(policy.mean),
        _figure(policy.regret),
        _figure(policy.in_hindsight),
        policy.retrainings,
        policy.refusals,
        "-" if policy.alarms is None else policy.alarms,
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
