"""Checks that ledger, store and MLflow are of one system.

None was emptied, is an older one, or belongs to another installation.

Intents come first: a release is in the ledger before it is in the store. So a release of which the
ledger knows nothing, or says something else, shows that one of the two is not the other's.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.bundle.manifest import SERVED, Release, release_key, served_key
from pipelines.deployment import releases
from pipelines.errors import Corrupted
from pipelines.ledger import GateVerdict
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup.databases import databases, refuse_damage
from pipelines.ops.findings import Finding, ok, problem, run_check, warning
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.ledger import Ledger
    from pipelines.ops.backup.databases import Database
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings
    from pipelines.store.port import Store

WRONG_LEDGER = (
    "find the ledger that belongs to this state: check PERENNIAL_LEDGER_URL, PERENNIAL_STATE and"
    " PERENNIAL_STORE, or restore a backup (docs/operate.md, Damage). Start no run before."
)
_WRONG_MLFLOW = (
    "check PERENNIAL_MLFLOW_URI, or restore MLflow's database from a backup (docs/operate.md,"
    " Damage)."
)
_MADE_BY_DECISIONS = ("releases", SERVED, "quarantine", "pages")
"""Folders of entries that are there only after a decision; of pages those of verdicts."""


def check_databases(settings: Settings) -> Iterator[Finding]:
    """Each database's file is whole, page by page.

    One that is not there yet, or no file, is passed over.
    """
    for database in databases(settings):
        yield from run_check(f"{database.name}'s database", partial(_check_database, database))


def _check_database(database: Database) -> Iterator[Finding]:
    if database.kind == "sqlite" and database.file.is_file():
        refuse_damage(database)
        yield ok(f"{database.name}'s database", "every page is sound")


def check_agreement(settings: Settings, ports: ConfiguredPorts) -> Iterator[Finding]:
    """What the store and MLflow hold is what the ledger decided. Nothing is made or migrated."""
    wrong = [
        *run_check("store and ledger", partial(store_and_ledger, settings, ports)),
        *run_check("MLflow and ledger", partial(mlflow_and_ledger, settings, ports)),
    ]
    yield from wrong or [ok("agreement", "ledger, store and MLflow are of one system")]


def unknown_releases(store: Store, ledger: Ledger) -> list[str]:
    """Return the keys of the store's releases of which the ledger knows nothing."""
    names = [item.name for item in store.contents("entries", "releases")]
    models = {name.split("/")[1] for name in names}
    keys = {release_key(m, r.number) for m in models for r in releases.list_releases(ledger, m)}
    return [name for name in names if name not in keys]


def store_and_ledger(settings: Settings, ports: ConfiguredPorts) -> Iterator[Finding]:
    """Yield what shows that the ledger is not the store's.

    Raises what the ledger and the store raise.
    """
    what = "store and ledger"
    ledger = SqlLedger(settings.ledger_url, migrate=False)
    if ledger.revision() is None or not ledger.entries(limit=1):
        decision = next(_entries_of_decisions(ports.store), None)
        if decision is not None:
            yield problem(
                what,
                f"The ledger has no entry, but the store has {decision}, which a decision made.",
                WRONG_LEDGER,
            )
        return
    unknown = unknown_releases(ports.store, ledger)
    if unknown:
        text = f"The store has {unknown[0]}" + (
            f" and {len(unknown) - 1} more releases" if len(unknown) > 1 else ""
        )
        yield problem(what, f"{text}, of which the ledger knows nothing.", WRONG_LEDGER)
    for model in sorted({entry.model for entry in ledger.entries(kind="champion")}):
        yield from _releases(ports, ledger, model)


def _entries_of_decisions(store: Store) -> Iterator[str]:
    """Yield the keys of entries that are there only after a decision."""
    for folder in _MADE_BY_DECISIONS:
        for item in store.contents("entries", folder):
            if folder != "pages" or item.name.split("/")[2:3] == ["verdict"]:
                yield item.name


def _releases(ports: ConfiguredPorts, ledger: Ledger, model: str) -> Iterator[Finding]:
    what = "store and ledger"
    if ports.store.read(served_key(model)) is None:
        yield problem(
            what,
            f"The store has no {served_key(model)}: no server would follow {model}.",
            f"`perennial reconcile {model}`.",
        )
    for release in releases.list_releases(ledger, model):
        key = release_key(model, release.number)
        try:
            entry = read_entry(ports.store, key, Release)
        except Corrupted as error:
            yield problem(
                what,
                error.message,
                f"`perennial reconcile {model}` writes the newest anew; {error.remedy}",
            )
            continue
        if entry is not None and (entry.version, entry.bundle) != (
            release.version,
            release.bundle,
        ):
            text = (
                f"{key} has version {entry.version} in the store and {release.version} in the"
                " ledger, or another bundle"
            )
            yield problem(what, f"{text}: one of them is another system's.", WRONG_LEDGER)


def mlflow_and_ledger(settings: Settings, ports: ConfiguredPorts) -> Iterator[Finding]:
    """Yield what shows that MLflow is not the ledger's.

    Raises what they raise; a database of MLflow's is not made.
    """
    file = settings.mlflow_uri.removeprefix("sqlite:///")
    if file != settings.mlflow_uri and not Path(file).is_file():
        return  # that a champion's version is missing is told elsewhere
    ledger = SqlLedger(settings.ledger_url, migrate=False)
    entries = ledger.entries() if ledger.revision() is not None else []
    verdicts: dict[str, dict[str, str]] = {entry.model: {} for entry in entries}
    for entry in entries:
        verdict = entry.decision
        if isinstance(verdict, GateVerdict) and verdict.version:
            verdicts[entry.model][verdict.version] = verdict.run_id
    with_batches = {item.name.split("/")[1] for item in ports.store.contents("entries", "batches")}
    for model in sorted({*verdicts, *with_batches}):
        yield from _versions(ports, model, verdicts.get(model, {}))


def _versions(
    ports: ConfiguredPorts, model: str, runs_in_ledger: dict[str, str]
) -> Iterator[Finding]:
    what = "MLflow and ledger"
    runs_in_mlflow = {v.version: v.run_id for v in ports.registry.versions(model)}
    unknown = sorted(set(runs_in_mlflow) - set(runs_in_ledger), key=int)
    if unknown and not runs_in_ledger:
        yield problem(
            what,
            f"MLflow has version {unknown[0]} of {model}, but the ledger has judged none.",
            WRONG_LEDGER,
        )
    elif unknown:
        text = f"MLflow has version {unknown[0]} of {model}, which the ledger has never judged."
        yield warning(
            what,
            text,
            "nothing, where somebody registered it by hand or a run is at work; else as for another"
            " system's MLflow.",
        )
    for version, run in runs_in_ledger.items():
        if version in runs_in_mlflow and run and runs_in_mlflow[version] != run:
            text = (
                f"Version {version} of {model} is of run {runs_in_mlflow[version]} in MLflow"
                f" and of {run} in the ledger"
            )
            yield problem(what, f"{text}: one of them is another system's.", _WRONG_MLFLOW)
    absent = sorted(set(runs_in_ledger) - set(runs_in_mlflow), key=int)
    if absent and not runs_in_mlflow:
        yield problem(
            what,
            f"MLflow has no version of {model}, but the ledger has judged {len(absent)}.",
            _WRONG_MLFLOW,
        )
    elif absent and int(absent[-1]) > max(map(int, runs_in_mlflow)):
        text = (
            f"MLflow has no version {absent[-1]} of {model}, the newest that the ledger has"
            " judged: its database may be an older one."
        )
        yield warning(what, text, _WRONG_MLFLOW)
