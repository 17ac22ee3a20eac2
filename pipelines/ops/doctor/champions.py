"""Checks of what serves.

The ledger, and for each model whether all that its champion needs really exists.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.bundle.load import golden_differences, open_bundle, read_manifest
from pipelines.bundle.manifest import Release, release_key
from pipelines.deployment.docker.image import find_image
from pipelines.ledger import Crown, erasures_of
from pipelines.ledger.anchors import FileAnchor, stand
from pipelines.ledger.database import REVISION
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.doctor.packages import check_packages
from pipelines.ops.doctor.signing import check_signature
from pipelines.ops.findings import Finding, ok, problem, run_check, warning
from pipelines.plurals import how_many
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.deployment.serving_client import Server
    from pipelines.ledger import Champion, Ledger
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings

_BACKUP = "restore it from a backup (docs/operate.md)."


def check_ledger(settings: Settings) -> Iterator[Finding]:
    """The ledger opens, has the newest schema, and its chain is whole. Nothing is migrated."""
    ledger = SqlLedger(settings.ledger_url, migrate=False)
    revision = ledger.revision()
    if revision is None:
        yield ok("ledger", "not there yet: no run has decided anything")
    elif revision > REVISION:
        yield problem(
            "ledger's schema",
            f"{revision} is newer than this program's {REVISION}.",
            "use the Perennial that wrote it.",
        )
    else:
        if revision < REVISION:
            yield warning(
                "ledger's schema",
                f"{revision}; this program's is {REVISION}.",
                "back up, then run any command: it migrates.",
            )
        else:
            yield ok("ledger's schema", revision)
        yield ok("ledger", f"{how_many(ledger.verify(), 'entry')}, chain intact")


def check_anchor(settings: Settings, ports: ConfiguredPorts) -> Iterator[Finding]:
    """The ledger holds what its anchor remembers, and the anchor is not far behind."""
    ledger, what = SqlLedger(settings.ledger_url, migrate=False), "ledger's anchor"
    if settings.ledger_anchor is None:
        yield ok(
            what,
            "none is set: a ledger that was rewritten as a whole, or whose end was cut off with its"
            " head, would not be seen",
        )
        return
    anchor = ports.anchor
    if anchor is None or ledger.revision() is None:
        yield ok(what, "set; nothing was decided yet")
        return
    standing = stand(ledger, anchor)
    remedy = (
        "nothing, if the next decision brings it up to date; else see that it can be written"
        " (docs/operate.md, The anchor)."
    )
    if standing.anchored is None and standing.count:
        yield warning(
            what,
            f"{anchor.name} remembers nothing yet, of {how_many(standing.count, 'entry')}.",
            "`perennial verify --set-anchor`.",
        )
    elif standing.behind:
        yield warning(
            what,
            f"{anchor.name} is {how_many(standing.behind, 'entry')} behind, at"
            f" {standing.anchored} of {standing.count}.",
            remedy,
        )
    else:
        yield ok(what, f"{anchor.name} remembers the newest of {standing.count} entries")
    if isinstance(anchor, FileAnchor) and anchor.path.resolve().is_relative_to(settings.state):
        yield warning(
            what,
            f"{anchor.name} lies in the state folder: whoever can touch the ledger can touch it.",
            "name a place elsewhere.",
        )


def models_with_champion(settings: Settings) -> list[str]:
    """Return the models that have a champion by the ledger; nothing is made or migrated."""
    ledger = SqlLedger(settings.ledger_url, migrate=False)
    if ledger.revision() is None:
        return []
    return sorted({entry.model for entry in ledger.entries(kind="champion")})


def check_champion(
    settings: Settings,
    ports: ConfiguredPorts,
    model: str,
    server: Server,
    engine: ReleaseEngine | None,
) -> list[Finding]:
    """Everything that a model's champion needs. `engine` is asked where releases are containers."""
    ledger = SqlLedger(settings.ledger_url, migrate=False)
    champion = ledger.champion(model)
    if champion is None:
        return [ok(f"{model}: champion", "none yet")]
    checks = {
        "bundle": lambda: _check_bundle(settings, ports, model, champion),
        "signature": lambda: check_signature(settings, ports, model, champion),
        "packages": lambda: check_packages(settings, ports, model, champion),
        "features": lambda: _check_features(ports, model, champion),
        "MLflow": lambda: _check_registry(settings, ports, model, champion),
        "release": lambda: _check_release(ports, model, champion),
        "server": lambda: _check_server(model, champion, server),
    }
    if engine is not None:
        checks["image"] = lambda: _check_image(engine, ports, ledger, model, champion)
    return [
        finding
        for name, check in checks.items()
        for finding in run_check(f"{model}: {name}", check)
    ]


def _check_bundle(
    settings: Settings, ports: ConfiguredPorts, model: str, champion: Champion
) -> Iterator[Finding]:
    differences = golden_differences(open_bundle(ports.store, champion.bundle, settings))
    if differences:
        yield problem(
            f"{model}: bundle",
            f"It does not answer as packaged: {differences[0]}.",
            f"`perennial rollback {model}`, then retrain.",
        )
    else:
        yield ok(
            f"{model}: bundle", f"version {champion.version} opens and answers its golden requests"
        )


def _check_features(ports: ConfiguredPorts, model: str, champion: Champion) -> Iterator[Finding]:
    revision = read_manifest(ports.store, champion.bundle).features_revision
    what = f"{model}: features"
    files = ports.versions.files(model, revision)
    wrong = ports.versions.find_damage(model, revision)
    if not files:
        yield problem(what, f"Revision {revision} is not there.", _BACKUP)
    elif wrong and erasures_of(ports.ledger, model, champion.version):
        yield warning(
            what,
            f"{how_many(len(wrong), 'file')} of revision {revision[:12]} cannot be read: rows of"
            " a person were erased from it.",
            f"trigger retrain_{model}: the next version learns without them.",
        )
    elif wrong:
        yield problem(
            what,
            f"{len(wrong)} objects of revision {revision} are missing or changed in DVC's remote:"
            f" {wrong[0]}.",
            _BACKUP,
        )
    else:
        yield ok(
            what, f"revision {revision[:12]}, {how_many(len(files), 'file')} whole in DVC's remote"
        )


def _check_registry(
    settings: Settings, ports: ConfiguredPorts, model: str, champion: Champion
) -> Iterator[Finding]:
    what = f"{model}: MLflow"
    file = settings.mlflow_uri.removeprefix("sqlite:///")
    if file != settings.mlflow_uri and not Path(file).is_file():
        yield problem(what, f"There is no {file}.", _BACKUP)
        return
    alias = ports.registry.alias(model)
    if champion.version not in {v.version for v in ports.registry.versions(model)}:
        yield problem(
            what, f"It has no version {champion.version}, which is the champion.", _BACKUP
        )
    elif alias != champion.version:
        yield problem(
            what,
            f"The alias names {alias or 'nothing'}, the champion is {champion.version}.",
            f"`perennial reconcile {model}`.",
        )
    else:
        yield ok(what, f"version {champion.version} has the alias")


def _check_release(ports: ConfiguredPorts, model: str, champion: Champion) -> Iterator[Finding]:
    what, key = f"{model}: release", release_key(model, champion.release)
    release = read_entry(ports.store, key, Release)
    if release is None or (release.version, release.bundle) != (champion.version, champion.bundle):
        yield problem(
            what,
            f"The store's {key} is missing or is not the champion's.",
            f"{_BACKUP[:-1]}, or `perennial reconcile {model}`.",
        )
    else:
        yield ok(what, f"{champion.release} is in the store")


def _check_image(
    engine: ReleaseEngine, ports: ConfiguredPorts, ledger: Ledger, model: str, champion: Champion
) -> Iterator[Finding]:
    what = f"{model}: image"
    release = Release(
        model=model,
        number=champion.release,
        version=champion.version,
        bundle=champion.bundle,
        reason="",
    )
    image = find_image(engine, release)
    packages = read_manifest(ports.store, champion.bundle).packages
    crowned_image = ledger.entries(model, "champion", limit=1)[0].read(Crown).image
    if image is None:
        yield problem(
            what,
            f"The engine has no image of release {champion.release}.",
            f"`perennial reconcile {model}` builds it from the bundle.",
        )
    elif packages is not None and image.labels.get("perennial.environment") != packages.sha256:
        yield problem(
            what,
            f"{image.id} does not bring the packages of environment {packages.sha256[:12]}.",
            f"`docker rmi -f {image.id[7:19]}`, then `perennial reconcile {model}` builds it anew.",
        )
    elif crowned_image is not None and crowned_image != image.id:
        yield warning(
            what,
            f"{image.id} was built since; {crowned_image} was crowned.",
            "nothing, if the bundle's check is ok: it was built again.",
        )
    else:
        beside = f", with environment {packages.sha256[:12]}" if packages else ""
        yield ok(what, f"release {champion.release} is {image.id[:19]}{beside}")


def _check_server(model: str, champion: Champion, server: Server) -> Iterator[Finding]:
    says = server.serves(model)
    if (says.version, says.release) == (champion.version, champion.release):
        yield ok(f"{model}: server", f"answers with version {says.version}, release {says.release}")
    elif says.version == champion.version:
        yield ok(
            f"{model}: server",
            f"answers with version {says.version}, as release {says.release} (crowned as"
            f" {champion.release})",
        )
    else:
        what = f"It serves {says.version or 'nothing'}, the champion is {champion.version}."
        yield problem(
            f"{model}: server",
            what,
            f"`perennial reconcile {model}`; then look at the server's log.",
        )
