"""`status`: what serves, since when, and the last decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.approvals import Marks, marks_of
from pipelines.cli.entry_sentences import marked_sentence, sentence
from pipelines.cli.output import AsJson, print_json, tell_slow
from pipelines.deployment.servers import Servers
from pipelines.errors import PerennialError, SpecError
from pipelines.incidents.held_batches import held_batches
from pipelines.intervals import iso
from pipelines.ledger import champion_of
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_all, load_spec
from pipelines.watch.retrain_requests import find_open_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.ledger import Entry, Kind, Ledger
    from pipelines.spec import Spec

AnyModel = Annotated[str | None, typer.Argument(help="The model; all models when left out.")]

KINDS: tuple[Kind, ...] = (
    "champion",
    "verdict",
    "quarantine",
    "drift",
    "retrain_request",
    "approval",
    "override",
)
MOST_FAILURES = 3


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


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
    newest = _newest(ports.ledger, list(good))
    serving = _serving(Servers(settings), list(good))
    rows = [
        {
            **_decisions(spec, ports.ledger, newest[n]),
            "serving": serving[n],
            "ledger_entries": total,
        }
        for n, spec in good.items()
    ]
    rows += [{"model": name, "error": str(error)} for name, error in errors.items()]
    if as_json:
        print_json(rows)
    else:
        _print_status(rows)
    tell_slow(settings.models, seconds)
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


def _newest(ledger: Ledger, models: list[str]) -> dict[str, dict[str, Entry]]:
    """Return the newest entry of each kind that a status speaks of, by model and kind.

    It is one question for all of them: a model is asked about further only where it has an entry.
    """
    found: dict[str, dict[str, Entry]] = {model: {} for model in models}
    for entry in ledger.newest(models, KINDS):
        found[entry.model][entry.kind] = entry
    return found


def _decisions(spec: Spec, ledger: Ledger, newest: Mapping[str, Entry]) -> dict[str, Any]:
    """Return what was decided of a model."""
    champion = champion_of(newest.get("champion"))
    verdict, quarantine, drift = (newest.get(k) for k in ("verdict", "quarantine", "drift"))
    is_marked = "approval" in newest or "override" in newest
    marks = marks_of(ledger, spec.name) if is_marked else Marks({})
    mark = marks.of(champion.version) if champion else None
    held = held_batches(ledger, spec.name) if quarantine else {}
    request = (
        find_open_request(ledger, spec.name, datetime.now(UTC))
        if "retrain_request" in newest
        else None
    )
    return {
        "model": spec.name,
        "error": None,
        "owner": spec.owner,
        "champion": champion.version if champion else None,
        "since": iso(champion.since.replace(microsecond=0)) if champion else None,
        "release": champion.release if champion else None,
        "mark": mark.text if mark else None,
        "last_verdict": marked_sentence(verdict, marks) if verdict else None,
        "last_quarantine": sentence(quarantine) if quarantine else None,
        "held_batches": sorted(held),
        "last_drift": sentence(drift) if drift else None,
        "open_request": sentence(request) if request else None,
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


def _serving(servers: Servers, models: list[str]) -> dict[str, str]:
    """Return in words what the server says of each model.

    A server that has not answered several times in a row is asked no more: of a thousand models
    each question might wait for its time-out.
    """
    found, failures = dict[str, str](), list[str]()
    for model in models:
        if len(failures) == MOST_FAILURES:
            found[model] = failures[-1]
            continue
        try:
            subject = servers.model(model)
        except PerennialError as error:
            failures.append(error.message)
            found[model] = error.message
            continue
        failures.clear()
        found[model] = (
            f"version {subject['version']} (release {subject['release']})"
            if "version" in subject
            else "nothing"
        )
    return found
