"""The whole system: `doctor`, `verify`, `backup`, `restore`, `prune`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import set_up_logging
from pipelines.errors import RequestError
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import Settings, load_settings
from pipelines.spec import load_all
from pipelines.spec.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.deployment.kubernetes.api import Cluster
    from pipelines.ops.prune.leftover import Leftover

NewFile = Annotated[
    Path, typer.Argument(metavar="FILE.tar", help="The new file; best on another disk.")
]
OldFile = Annotated[
    Path, typer.Argument(metavar="FILE.tar", help="A file that `perennial backup` wrote.")
]
OlderThan = Annotated[
    str,
    typer.Option(
        "--older-than", metavar="AGE", help="Only what is older, such as 30d; a day at least."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Remove it; without, nothing is changed.")]

SHOWN = 10
"""Names of each kind that a person sees."""
MARK = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(doctor)
    app.command()(verify)
    app.command()(backup)
    app.command()(restore)
    app.command()(prune)


def doctor(*, as_json: AsJson = False) -> None:
    """Check everything that the system needs; change nothing.

    There is one line for each thing, with what to do.

    Ports, packages against the lock, disk, clocks, keys, the ledger's chain, the Docker engine and
    its images, and of each model whether its champion's bundle, features, MLflow version, release
    and image really exist and the server answers with it.

    Exit code 0 when there is no problem (warnings may be), else 1.
    """
    from pipelines.deployment.servers import Servers
    from pipelines.ops.doctor.diagnosis import diagnose

    settings = _settings()
    findings = []
    for finding in diagnose(
        settings,
        ConfiguredPorts(settings),
        Servers(settings),
        _engine(settings),
        _cluster(settings),
    ):
        findings.append(finding)
        if not as_json:
            typer.echo(
                f"{MARK[finding.state]} {finding.what}: {finding.said}"
                + (f" Remedy: {finding.remedy}" if finding.remedy else "")
            )
    count = Counter(finding.state for finding in findings)
    if as_json:
        print_json(
            {
                "problems": count["problem"],
                "warnings": count["warning"],
                "findings": [asdict(finding) for finding in findings],
            }
        )
    else:
        typer.echo(
            f"{len(findings)} things looked at: {count['problem']} problems, {count['warning']}"
            " warnings."
        )
    raise typer.Exit(1 if count["problem"] else 0)


SetAnchor = Annotated[
    bool, typer.Option("--set-anchor", help="Let the anchor remember the ledger as it is now.")
]
UNSEEN = (
    "What the chain alone cannot show: a ledger that was rewritten as a whole, and one whose newest"
    " entries were cut off together with the head. An anchor shows both: set"
    " PERENNIAL_LEDGER_ANCHOR (docs/operate.md, The anchor)."
)


def verify(*, set_anchor: SetAnchor = False, as_json: AsJson = False) -> None:
    """Check the ledger's chain of hashes, and its anchor.

    Every entry is held against the chain, and the chain against its anchor where one is set.

    --set-anchor is for after a restore that you trust: the anchor forgets what it remembered, and
    remembers the present head.

    Exit code 0 when all is intact, 65 when the record was touched, 75 when the ledger or the anchor
    does not answer.
    """
    from pipelines.ledger import Head
    from pipelines.ledger.anchors import stand
    from pipelines.ledger.sql import SqlLedger

    settings = _settings()
    ledger, anchor = SqlLedger(settings.ledger_url, migrate=False), ConfiguredPorts(settings).anchor
    if ledger.revision() is None:
        raise RequestError(
            "There is no ledger yet: no run has decided anything.",
            remedy="check PERENNIAL_STATE and PERENNIAL_LEDGER_URL.",
        )
    count = ledger.verify()
    newest = ledger.at(count)
    if set_anchor:
        if anchor is None:
            raise RequestError(
                "No anchor is set.", remedy="set PERENNIAL_LEDGER_ANCHOR (docs/settings.md)."
            )
        anchor.write(Head(seq=newest.seq, hash=newest.hash) if newest is not None else Head())
    standing = stand(ledger, anchor) if anchor is not None else None
    if as_json:
        about = (
            {"name": anchor.name, "at": standing.anchored, "behind": standing.behind}
            if anchor and standing
            else None
        )
        print_json(
            {
                "entries": count,
                "head": newest.hash if newest else None,
                "anchor": about,
                "unseen": None if about else UNSEEN,
            }
        )
        return
    typer.echo(
        f"{how_many(count, 'entry')}, chain intact. Head: {newest.hash if newest else 'none'}."
    )
    if anchor is None or standing is None:
        typer.echo(UNSEEN)
    elif standing.anchored is None:
        typer.echo(
            f"{anchor.name} remembers nothing yet. `perennial verify --set-anchor` begins, if you"
            " trust the ledger."
        )
    else:
        behind = (
            f"; {standing.behind} newer entries are not covered yet"
            if standing.behind
            else ", the newest"
        )
        typer.echo(f"{anchor.name} remembers entry {standing.anchored}{behind}.")


def backup(target: NewFile, *, as_json: AsJson = False) -> None:
    """Back the whole state up into one tar file.

    Everything may run meanwhile. The file holds the ledger's, MLflow's and Airflow's databases,
    the store with the inference log, the features with their history, MLflow's artifacts, and the
    keys: keep the file (mode 600) where only those may read it who may know the keys.
    Not in it: what is made again (caches, indexes, images), logs, and the file of secrets that
    `make secrets` wrote.
    """
    from pipelines.ops.backup.creation import backup as write

    manifest = write(_settings(), target, _say)
    size = target.stat().st_size
    if as_json:
        about = manifest.model_dump(include={"format", "product", "at", "databases"})
        print_json({"file": str(target), "bytes": size, "files": len(manifest.members), **about})
    else:
        typer.echo(
            f"{target}: {len(manifest.members):,} files, {_size(size)}. It holds keys: keep it"
            " safe."
        )


def restore(source: OldFile, *, as_json: AsJson = False) -> None:
    """Restore a backup into an empty state.

    Then the ledger's chain is checked. What is there already is never overwritten.

    The whole file is checked before anything is written. Stop the stack first; in a stack of
    containers start PostgreSQL alone.
    """
    from pipelines.ops.backup.restoration import restore as write

    settings = _settings()
    entries = write(settings, source, _say)
    if as_json:
        print_json({"file": str(source), "state": str(settings.state), "ledger_entries": entries})
    else:
        typer.echo(f"Restored into {settings.state}. Start the stack, then: perennial doctor.")


def prune(*, yes: Yes = False, older_than: OlderThan = "90d", as_json: AsJson = False) -> None:
    """Show what nobody needs any more; with --yes, remove it.

    Objects of the store that nothing refers to, half-written files, results and pages of runs that
    the ledger does not know, the cache of features that the remote holds too, MLflow runs without a
    version, old logs, images and stopped containers of releases before the last three champions.
    Never what the ledger refers to, by whatever chain; never what is younger than a day. Pages of
    Evidently's go after PERENNIAL_EVIDENTLY_DAYS, which the ledger then says.
    """
    from pipelines.ops.prune.removal import find_leftovers
    from pipelines.ops.prune.removal import prune as remove

    settings = _settings()
    ports, engine = (
        ConfiguredPorts(settings),
        _engine(settings) if settings.target == "docker" else None,
    )
    leftovers = (remove if yes else find_leftovers)(
        settings, ports, _age(older_than), engine, _cluster(settings)
    )
    if as_json:
        entries = [
            {"kind": leftover.kind, "name": leftover.name, "bytes": leftover.bytes}
            for leftover in leftovers
        ]
        print_json(
            {
                "removed": yes,
                "bytes": sum(leftover.bytes for leftover in leftovers),
                "leftovers": entries,
            }
        )
    else:
        typer.echo("\n".join(_describe(leftovers, removed=yes)))


def _describe(leftovers: Iterable[Leftover], *, removed: bool) -> list[str]:
    kinds: dict[str, list[Leftover]] = {}
    for leftover in leftovers:
        kinds.setdefault(leftover.kind, []).append(leftover)
    lines = []
    for kind, those in kinds.items():
        lines.append(f"{kind}: {len(those):,}, {_size(sum(leftover.bytes for leftover in those))}")
        lines += [f"  {leftover.name}" for leftover in those[:SHOWN]]
        lines += (
            [f"  … and {len(those) - SHOWN:,} more (--json lists all)"]
            if len(those) > SHOWN
            else []
        )
    total = _size(sum(leftover.bytes for those in kinds.values() for leftover in those))
    if not lines:
        return ["Nothing can go."]
    return [
        *lines,
        (
            f"Removed: {total}."
            if removed
            else f"Nothing was changed. `perennial prune --yes` removes these: {total}."
        ),
    ]


def _settings() -> Settings:
    settings = load_settings()
    set_up_logging("ERROR")
    return settings


def _engine(settings: Settings) -> ReleaseEngine | None:
    """Return the Docker engine where steps or releases are containers."""
    from pipelines.deployment.docker.engine import engine_for

    return engine_for(settings) if "docker" in {settings.place, settings.target} else None


def _cluster(settings: Settings) -> Cluster | None:
    """Return the cluster where releases are pods: by the settings, or by some model's spec."""
    good, _ = load_all(settings.models)
    targets = {spec.deploy.target for spec in good.values()} | {settings.target}
    if "kubernetes" not in targets:
        return None
    from pipelines.deployment.kubernetes_target import cluster_of

    return cluster_of(settings)


def _age(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise RequestError(f"--older-than {text!r} is no age.", remedy=f"{error}.") from error


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1_000:  # noqa: PLR2004 -- the unit's own
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1_000
    return f"{count:,.1f} GB"


def _say(text: str) -> None:
    """Tell of progress, apart from the result."""
    typer.echo(text, err=True)
