"""What there is and what happened: `models`, `status`, `history`, `schema`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.approvals import marks_of
from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.context import Context
from pipelines.errors import PerennialError, SpecError
from pipelines.incidents.held_batches import held_batches
from pipelines.incidents.words import say_event
from pipelines.intervals import iso
from pipelines.ledger import (
    Admission,
    Alert,
    Approval,
    DriftCheck,
    Erasure,
    GateVerdict,
    IncidentEvent,
    Outcome,
    Override,
    Proof,
    Quarantine,
    RetrainHold,
    RetrainRequest,
    StepOfRun,
    Turn,
)
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import json_schema, load_all, load_spec
from pipelines.spec.folders import SLOW_SECONDS, say_slow
from pipelines.verdicts import words
from pipelines.verdicts.explanations import in_short
from pipelines.watch.retrain_requests import find_open_request

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.approvals import Marks
    from pipelines.ledger import Entry

Model = Annotated[str, typer.Argument(help="The model: a folder's name under models/.")]
AnyModel = Annotated[str | None, typer.Argument(help="The model; all models when left out.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(models)
    app.command()(status)
    app.command()(history)
    app.command()(schema)


def models(*, as_json: AsJson = False) -> None:
    """List the models, and what is wrong with a broken spec.

    The exit code is 65 when any is broken.
    """
    folder, seconds = load_settings().models, dict[str, float]()
    good, errors = load_all(folder, seconds)
    rows = [
        {
            "model": n,
            "task": s.task,
            "batch": s.batch or "snapshot",
            "owner": s.owner,
            "tags": s.tags,
            "description": s.description,
            "error": None,
            "seconds": round(seconds[n], 3),
        }
        for n, s in good.items()
    ]
    rows += [
        {
            "model": n,
            "task": None,
            "batch": None,
            "owner": None,
            "tags": [],
            "description": None,
            "error": str(e),
            "seconds": round(seconds[n], 3),
        }
        for n, e in errors.items()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            "Models", ["model", "task", "batch", "owner", "description"], [_row(r) for r in rows]
        )
    _tell_slow(folder, seconds)
    if errors:
        raise typer.Exit(65)


def _tell_slow(folder: Path, seconds: dict[str, float]) -> None:
    """Tell of folders that take long to read, on stderr: the slowest first."""
    for name, took in sorted(seconds.items(), key=lambda item: -item[1]):
        if took > SLOW_SECONDS:
            typer.echo(f"warning: {say_slow(f'{folder.name}/{name}', took)}", err=True)


def _row(row: dict[str, Any]) -> list[Any]:
    return [
        row["model"],
        row["task"] or "broken",
        row["batch"],
        row["owner"],
        row["description"] or row["error"],
    ]


def status(model: AnyModel = None, *, as_json: AsJson = False) -> None:
    """Show what serves, since when, and the last decisions.

    A model whose spec is broken is shown with what is wrong with it, beside the others; then the
    exit code is 65.
    """
    settings, seconds = load_settings(), dict[str, float]()
    good, errors = (
        load_all(settings.models, seconds)
        if model is None
        else ({model: load_spec(settings.models, model)}, {})
    )
    ports = ConfiguredPorts(settings)
    total = ports.check_ledger() if good else 0
    rows = [
        _status(Context(spec=spec, settings=settings, ports=ports), total) for spec in good.values()
    ]
    rows += [{"model": name, "error": str(error)} for name, error in errors.items()]
    if as_json:
        print_json(rows)
    else:
        _print_status(rows)
    _tell_slow(settings.models, seconds)
    if errors:
        raise typer.Exit(SpecError.exit_code)


def _print_status(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo(row["model"])
        lines = (
            list(_describe(row).items())
            if row["error"] is None
            else [("broken", line) for line in row["error"].splitlines()]
        )
        for title, text in lines:
            typer.echo(f"  {title:<9} {text}")


def _status(context: Context, total: int) -> dict[str, Any]:
    ledger, model = context.ports.ledger, context.spec.name
    champion = ledger.champion(model)
    verdicts = ledger.entries(model, "verdict", limit=1)
    quarantined = ledger.entries(model, "quarantine", limit=1)
    drift_entries = ledger.entries(model, "drift", limit=1)
    request = find_open_request(ledger, model, datetime.now(UTC))
    marks = marks_of(ledger, model)
    mark = marks.of(champion.version) if champion else None
    return {
        "model": model,
        "error": None,
        "owner": context.spec.owner,
        "champion": champion.version if champion else None,
        "since": iso(champion.since.replace(microsecond=0)) if champion else None,
        "release": champion.release if champion else None,
        "mark": mark.text if mark else None,
        "serving": _describe_serving(context),
        "last_verdict": _marked_sentence(verdicts[0], marks) if verdicts else None,
        "last_quarantine": _sentence(quarantined[0]) if quarantined else None,
        "held_batches": sorted(held_batches(ledger, model)),
        "last_drift": _sentence(drift_entries[0]) if drift_entries else None,
        "open_request": _sentence(request) if request else None,
        "ledger_entries": total,
    }


def _describe(row: dict[str, Any]) -> dict[str, str]:
    """Return one model's status in words, by title."""
    champion = (
        f"version {row['champion']} since {row['since']} (release {row['release']})"
        + (f", {row['mark']}" if row["mark"] else "")
        if row["champion"]
        else "none yet"
    )
    sentences = {
        "champion": champion,
        "serving": row["serving"],
        "verdict": row["last_verdict"] or "none yet",
    }
    if row["last_quarantine"]:
        sentences["quarantine"] = row["last_quarantine"]
    if row["held_batches"]:
        held = how_many(len(row["held_batches"]), "batch")
        sentences["held"] = f"{held} that no retraining learns from: `perennial quarantine`"
    sentences["drift"] = row["last_drift"] or "not looked for yet"
    if row["open_request"]:
        sentences["request"] = row["open_request"]
    return {
        **sentences,
        "owner": row["owner"],
        "ledger": f"{how_many(row['ledger_entries'], 'entry')}, chain checked",
    }


def _describe_serving(context: Context) -> str:
    from pipelines.deployment.serving_client import ServingClient

    try:
        subject = ServingClient(context.settings.serving_url).model(context.spec.name)
    except PerennialError as error:
        return error.message
    return (
        f"version {subject['version']} (release {subject['release']})"
        if subject and "version" in subject
        else "nothing"
    )


def history(
    model: Model,
    *,
    limit: Annotated[int, typer.Option(help="How many of the newest entries.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show every decision about a model, oldest first.

    They come from the ledger, after a check that nobody touched the record.
    """
    settings = load_settings()
    load_spec(settings.models, model)  # a name that is none is told first
    ports = ConfiguredPorts(settings)
    total, ledger = ports.check_ledger(), ports.ledger
    entries, marks = ledger.entries(model, limit=limit), marks_of(ledger, model)
    if as_json:
        print_json([e.model_dump(mode="json") for e in entries])
        return
    print_table(
        f"Ledger of {model} ({how_many(total, 'entry')} in all, chain checked)",
        ["no.", "at", "what", "said"],
        [_entry(e, marks) for e in entries],
    )


def _entry(entry: Entry, marks: Marks) -> list[Any]:
    at = iso(entry.at.replace(microsecond=0))
    return [entry.seq, at, entry.kind, _marked_sentence(entry, marks)]


def _marked_sentence(entry: Entry, marks: Marks) -> str:
    """Return an entry in words, with what people said of the version that it speaks of."""
    mark = marks.on(entry)
    return _sentence(entry) + (f" [{mark.text}]" if mark else "")


def _sentence(entry: Entry) -> str:  # noqa: C901, PLR0911, PLR0912 -- a case for each kind
    """Return an entry in words.

    One without words of its own, or of a kind that is not known here, shows its plain fields.
    """
    match entry.decision:
        case GateVerdict() as verdict:
            return _verdict(verdict)
        case DriftCheck() as check:
            return _drift(check)
        case Outcome() as outcome:
            version = f" version {outcome.version}" if outcome.version else ""
            return f"{outcome.outcome}{version}: {entry.run}" + _why(outcome.reasons)
        case Proof() as proof:
            return words.proof(proof.version, proof.differences, proof.causes, proof.rows)
        case Quarantine() as quarantine:
            return iso(quarantine.interval.start) + _why(quarantine.reasons)
        case Admission() as admission:
            return words.admission_entry(admission.interval.name, admission.by, admission.reason)
        case RetrainRequest() as request:
            return f"retraining {request.run_id} asked for" + _why(request.reasons)
        case RetrainHold() as hold:
            return f"no retraining for the window until {iso(hold.window.end)}: {hold.why}"
        case Approval() as answer:
            return f"version {answer.version}: {words.answered(answer.by, answer.why)}"
        case Override() as over:
            return words.override_entry(over.version, over.by, over.reason, over.reasons)
        case IncidentEvent() as event:
            return say_event(event)
        case StepOfRun() | Erasure() | Alert() | Turn() as step:
            return step.words
        case _:
            return entry.summary


def _verdict(verdict: GateVerdict) -> str:
    entry = words.gate_entry(
        verdict.candidate, verdict.version, verdict.reasons, verdict.started_because
    )
    return f"{verdict.verdict}: {entry}"


def _drift(check: DriftCheck) -> str:
    rows = words.rows_seen(check.rows, check.source, check.labelled, check.champion)
    verdict, end = words.plain(check.verdict), iso(check.window.end)
    told = "".join(f"; {line}" for line in in_short(check.cause, check.effect))
    return f"{verdict}: window until {end} ({rows})" + _why(check.reasons) + told


def _why(reasons: list[str]) -> str:
    return f": {words.join(reasons)}" if reasons else ""


def schema(*, as_json: AsJson = False) -> None:  # noqa: ARG001 -- the schema is JSON in any case
    """Print the JSON schema of model.yaml.

    Editors complete the file by it; docs/add-a-model.md says how.
    """
    print_json(json_schema())
