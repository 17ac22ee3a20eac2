"""Each step as a command.

For whoever runs the loop (a request as JSON, a record on stdout), and by hand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import drift
from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import (
    answer_program,
    context_for,
    log_verdict,
    now,
    run_step,
    set_up_logging,
)
from pipelines.errors import RequestError
from pipelines.private_files import make_folder
from pipelines.refs import canonical
from pipelines.run_names import BY_HAND, is_scheduled, safe_id
from pipelines.settings import load_settings
from pipelines.steps.catalogue import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.context import Context
    from pipelines.refs import Value
    from pipelines.steps.catalogue import Step

_BY_DAG = (
    "`perennial drift MODEL` looks at a window; trigger the DAG drift_MODEL to have it decide and"
    " start."
)

_OF_A_REPLAY = ("plan_replay", "prepare_replay")
_REPLAY = "By hand: `perennial replay MODEL`, which does it all."
_TRAIN = "By hand: `perennial train MODEL`, which tries all settings itself."
_REBUILD = "By hand: `perennial rebuild MODEL VERSION`."

Name = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="The model: a folder's name under models/.")
]
Option = Annotated[str | None, typer.Option("--model", help="The same, as an option.")]
Request = Annotated[
    str | None,
    typer.Option(help="The whole request as JSON (for programs); by hand, leave it out."),
]
Run = Annotated[
    str | None, typer.Option(help="By hand: the run's name; default: the newest run by hand.")
]
AsOf = Annotated[
    str | None, typer.Option(help="By hand, for ingest: the moment to live in, such as 2013-04-01.")
]
Only = Annotated[
    str | None, typer.Option("--candidate", help="By hand, for train: this candidate only.")
]


def add_to(app: typer.Typer) -> None:
    """Add a command for each step."""
    for step in STEPS.values():
        if step.name not in {"rollback", "replay"}:  # commands of their own
            app.command(name=step.name, help=_help(step))(
                drift.drift if step.name == "drift" else _command(step)
            )


def _help(step: Step) -> str:
    if step.name == "prove":
        return (
            f"{step.help}\n\nFor programs: the DAG prove_MODEL calls it with --request. {_REBUILD}"
        )
    if step.name in _OF_A_REPLAY:
        return f"{step.help}\n\nFor programs: the DAG replay_MODEL calls it. {_REPLAY}"
    if step.helps:
        return f"{step.help}\n\nFor programs: the DAG retrain_MODEL calls it. {_TRAIN}"
    if not step.by_hand:
        return f"{step.help}\n\nFor programs: the DAG drift_MODEL calls it with --request."
    if step.name == "drift":
        return (
            f"{step.help}\n\nBy hand: `perennial drift MODEL --window-end 2013-04-01` brings in"
            " its batches and validates them first."
        )
    results = ", ".join(step.needs)
    before = f" It takes the results of {results} of the same run." if results else ""
    return (
        f"{step.help}\n\nBy hand: `perennial {step.name}"
        f" MODEL`{' --as-of 2013-04-01' if step.name == 'ingest' else ''}.{before}"
    )


def _command(step: Step) -> Callable[..., None]:
    def command(
        name: Name = None,
        model: Option = None,
        request: Request = None,
        run: Run = None,
        as_of: AsOf = None,
        candidate: Only = None,
        *,
        as_json: AsJson = False,
    ) -> None:
        model_name = name or model
        if not model_name:
            raise RequestError(
                f"{step.name} needs a model.",
                remedy=f"`perennial {step.name} MODEL`; `perennial models` lists them.",
            )
        settings = load_settings()
        set_up_logging(settings.log_level)
        context = context_for(model_name, settings)
        if request is not None:
            answer_program(context, step.name, request)
            return
        if step.name == "prove":
            raise RequestError("prove is for programs.", remedy=_REBUILD)
        if step.name in _OF_A_REPLAY:
            raise RequestError(f"{step.name} is for programs.", remedy=_REPLAY)
        if step.helps:
            raise RequestError(f"{step.name} is for programs.", remedy=_TRAIN)
        if not step.by_hand:
            raise RequestError(
                f"{step.name} by hand would ask for a retraining that nobody starts,"
                " or wait for one.",
                remedy=_BY_DAG,
            )
        result = _by_hand(context, step, run=run, as_of=as_of, candidate=candidate)
        if as_json:
            print_json(result)
        else:
            typer.echo(f"{step.name} done: " + json.dumps(result, indent=2, ensure_ascii=False))

    return command


def _by_hand(
    context: Context, step: Step, *, run: str | None, as_of: str | None, candidate: str | None
) -> Any:
    """Run a step on the kept results of the steps before it, and keep its own."""
    folder = _run_folder(context, step.name, run, as_of)
    body: dict[str, Any] = {"run": folder.name}
    if step.reads_conf:
        body |= {
            "now": now(),
            "conf": {"as_of": as_of, "reason": "by hand"} if as_of else {"reason": "by hand"},
        }
    for name in step.needs:
        file = folder / f"{name}.json"
        if file.is_file():
            body[name] = json.loads(file.read_bytes())
        elif name in step.required:
            raise RequestError(
                f"The run {folder.name} has no result of {name} yet.",
                remedy=f"run `perennial {name} {context.spec.name}` first.",
            )
    if step.name == "train":
        result: Any = _train(context, body, candidate, folder)
    else:
        answer = run_step(context, step.name, body)
        log_verdict(context, step.name, answer)
        result = answer.model_dump(mode="json")
    (folder / f"{step.name}.json").write_bytes(canonical(result))
    return result


def _train(
    context: Context, body: dict[str, Any], only: str | None, folder: Path
) -> list[dict[str, Any]]:
    """Train all candidates or one; those trained before stay."""
    names = [c.name for c in context.spec.candidates]
    if only is not None and only not in names:
        raise RequestError(
            f"There is no candidate {only!r}.", remedy=f"candidates: {', '.join(names)}."
        )
    file = folder / "train.json"
    results_by_name: dict[str, Any] = (
        {t["candidate"]: t for t in json.loads(file.read_bytes())} if file.is_file() else {}
    )
    for name in [only] if only else names:
        result: Value = run_step(context, "train", {**body, "candidate": name})
        results_by_name[name] = result.model_dump(mode="json")
    return [results_by_name[n] for n in names if n in results_by_name]


def _run_folder(context: Context, step: str, run: str | None, as_of: str | None) -> Path:
    """Return the folder of a run by hand.

    A new one for ingest, else the named or the newest one.
    """
    if run and is_scheduled(run):
        raise RequestError(
            f"{run!r} is a name of the schedule's runs.",
            remedy="give a run by hand another name.",
        )
    root = context.settings.state / "hand" / context.spec.name
    if step == "ingest":
        folder = root / safe_id(run or f"{BY_HAND}{as_of or 'newest'}__{now()}")
        make_folder(folder)
        return folder
    runs = sorted((p for p in root.glob("*") if p.is_dir()), key=lambda p: p.stat().st_mtime_ns)
    folder = root / safe_id(run) if run else (runs[-1] if runs else root / "none")
    if not folder.is_dir():
        raise RequestError(
            "There is no such run by hand.",
            remedy=f"begin one: `perennial ingest {context.spec.name} --as-of …`.",
        )
    return folder
