"""Each step as a command.

For whoever runs the loop (a request as JSON, a record on stdout), and by hand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import drift
from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import STEPS, answer_program, context_for, now, run_step, set_up_logging
from pipelines.errors import RequestError
from pipelines.private_files import make_folder
from pipelines.refs import canonical
from pipelines.run_names import BY_HAND, safe_id
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.context import Context
    from pipelines.refs import Value

NEEDS: dict[str, tuple[str, ...]] = {
    "ingest": (),
    "validate": ("ingest",),
    "features": ("ingest", "validate"),
    "train": ("features",),
    "gate": ("features", "train"),
    "package": ("features", "train", "gate"),
    "deploy": ("gate", "package"),
    "close": ("features", "gate", "deploy"),
    "drift": ("ingest", "validate"),
    "decide": ("drift",),
    "report": ("drift", "decide"),
}
"""Which earlier results a step's request holds, by field."""

HELP = {
    "ingest": (
        "Keep the raw rows that a run needs, each interval as a batch.\n\nA batch never changes."
    ),
    "validate": (
        "Hold the batches against their expectations.\n\n"
        "What breaks a critical one goes to quarantine."
    ),
    "features": "Build the features and keep them as a DVC-tracked version.",
    "train": ("Train the candidates and log them in MLflow.\n\nOr one of them: --candidate."),
    "gate": (
        "Choose the challenger and promote or refuse it.\n\nThe verdict has its reasons in words."
    ),
    "package": (
        "Compile the promoted challenger and make its bundle.\n\n"
        "It is fitted again on all rows first; that the compiled model answers the same is proven."
    ),
    "deploy": "Hand the bundle to the server and make it the champion.",
    "close": "End the run in MLflow, and write down what came of it.",
    "drift": "Say whether a window has drifted; start nothing.",
    "decide": (
        "Decide whether a window starts a retraining.\n\nThe request is entered into the ledger."
    ),
    "report": "Say what came of a window.",
}

FOR_PROGRAMS = ("decide", "report")
"""Steps that make no sense by hand."""
_BY_DAG = (
    "`perennial drift MODEL` looks at a window; trigger the DAG drift_MODEL to have it decide and"
    " start."
)

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
    for step in STEPS:
        if step != "rollback":  # a command of its own, see `releases`
            app.command(name=step, help=_help(step))(
                drift.drift if step == "drift" else _command(step)
            )


def _help(step: str) -> str:
    if step in FOR_PROGRAMS:
        return f"{HELP[step]}\n\nFor programs: the DAG drift_MODEL calls it with --request."
    if step == "drift":
        return (
            f"{HELP[step]}\n\nBy hand: `perennial drift MODEL --window-end 2013-04-01` brings in"
            " its batches and validates them first."
        )
    before = (
        f" It takes the results of {', '.join(NEEDS[step])} of the same run." if NEEDS[step] else ""
    )
    return (
        f"{HELP[step]}\n\nBy hand: `perennial {step}"
        f" MODEL`{' --as-of 2013-04-01' if step == 'ingest' else ''}.{before}"
    )


def _command(step: str) -> Callable[..., None]:
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
        chosen = name or model
        if not chosen:
            raise RequestError(
                f"{step} needs a model.",
                remedy=f"`perennial {step} MODEL`; `perennial models` lists them.",
            )
        settings = load_settings()
        set_up_logging(settings.log_level)
        context = context_for(chosen, settings)
        if request is not None:
            answer_program(context, step, request)
            return
        if step in FOR_PROGRAMS:
            raise RequestError(
                f"{step} by hand would ask for a retraining that nobody starts, or wait for one.",
                remedy=_BY_DAG,
            )
        result = _by_hand(context, step, run=run, as_of=as_of, candidate=candidate)
        if as_json:
            print_json(result)
        else:
            typer.echo(f"{step} done: " + json.dumps(result, indent=2, ensure_ascii=False))

    return command


def _by_hand(
    context: Context, step: str, *, run: str | None, as_of: str | None, candidate: str | None
) -> Any:
    """Run a step on the kept results of the steps before it, and keep its own."""
    folder = _run_folder(context, step, run, as_of)
    body: dict[str, Any] = {"run": folder.name}
    if step == "ingest":
        body |= {
            "now": now(),
            "conf": {"as_of": as_of, "reason": "by hand"} if as_of else {"reason": "by hand"},
        }
    for needed in NEEDS[step]:
        file = folder / f"{needed}.json"
        if file.is_file():
            body[needed] = json.loads(file.read_bytes())
        elif step != "close":
            raise RequestError(
                f"The run {folder.name} has no result of {needed} yet.",
                remedy=f"run `perennial {needed} {context.spec.name}` first.",
            )
    result = (
        _train(context, body, candidate, folder)
        if step == "train"
        else run_step(context, step, body).model_dump(mode="json")
    )
    (folder / f"{step}.json").write_bytes(canonical(result))
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
    kept = folder / "train.json"
    known: dict[str, Any] = (
        {t["candidate"]: t for t in json.loads(kept.read_bytes())} if kept.is_file() else {}
    )
    for name in [only] if only else names:
        result: Value = run_step(context, "train", {**body, "candidate": name})
        known[name] = result.model_dump(mode="json")
    return [known[n] for n in names if n in known]


def _run_folder(context: Context, step: str, run: str | None, as_of: str | None) -> Path:
    """Return the folder of a run by hand.

    A new one for ingest, else the named or the newest one.
    """
    root = context.settings.state_dir / "hand" / context.spec.name
    if step == "ingest":
        folder = root / safe_id(run or f"{BY_HAND}{as_of or 'newest'}__{now()}")
        make_folder(folder)
        return folder
    runs = sorted((p for p in root.glob("*") if p.is_dir()), key=lambda p: p.stat().st_mtime_ns)
    found = root / safe_id(run) if run else (runs[-1] if runs else root / "none")
    if not found.is_dir():
        raise RequestError(
            "There is no such run by hand.",
            remedy=f"begin one: `perennial ingest {context.spec.name} --as-of …`.",
        )
    return found
