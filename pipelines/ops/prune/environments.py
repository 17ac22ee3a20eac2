"""Packages of models that nobody used for long: they are installed again when they are needed.

Those that are kept in the store for pods cannot be: a pod reaches no index. They go where nothing
is left that a pod would need them for.
"""

from __future__ import annotations

import re
import shutil
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from pipelines.bundle.load import read_manifest
from pipelines.environments.kept import KEPT
from pipelines.environments.overlay import find_overlay, overlays
from pipelines.environments.ready import read_lock
from pipelines.environments.record import EnvironmentRecord
from pipelines.environments.recorded_files import RECORD
from pipelines.environments.resolution import RESOLVED
from pipelines.errors import Corrupted
from pipelines.locks import hold
from pipelines.ops.prune.leftover import Leftover
from pipelines.ops.prune.needed import reachable_objects
from pipelines.spec import load_all
from pipelines.store.references import references

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings
    from pipelines.store.port import Store

_KEPT_KEY: Final = re.compile(rf"{KEPT}/(?P<environment>[0-9a-f]{{64}})/[^/]+")


def unused_environments(
    settings: Settings, ports: ConfiguredPorts, limit: float
) -> Iterator[Leftover]:
    """Yield overlays that were last used before the limit (seconds since 1970).

    Those of the champions' bundles stay, for a process may import from them long after it began.
    """
    folders = sorted(overlays(settings).glob("[0-9a-f]*/")) if overlays(settings).is_dir() else []
    old = [folder for folder in folders if _used_at(folder) < limit]
    needed = _of_champions(settings, ports) if old else set()
    for folder in old:
        if folder not in needed:
            size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
            remove = partial(_remove, settings, folder, limit)
            yield Leftover("packages of a model", folder.name, size, remove)


def unneeded_kept(settings: Settings, ports: ConfiguredPorts, limit: float) -> Iterator[Leftover]:
    """Yield old entries of packages that are kept for pods and that nobody can need any more.

    Needed are those of every environment that the ledger reaches, by a bundle or the recipe of a
    version, and that a model of this folder asks for now. Where a spec is broken nothing goes: what
    it asks for is not known. The archives go with the other objects that nothing refers to.

    Raises Corrupted where an entry is none that we write: who needs what is not known then.
    """
    store = ports.store
    old = [item for item in store.contents("entries", KEPT) if item.used_at < limit]
    specs, broken = load_all(settings.models) if old else ({}, {})
    if not old or broken:
        return
    refs = (ref for e in ports.ledger.walk() for ref in references(e.body))
    # An environment is named by the hash of its lock
    needed = {uri.rsplit("/", 1)[-1].split(".")[0] for uri in reachable_objects(store, refs)}
    needed |= _asked_for(store, [sorted(spec.requires) for spec in specs.values()])
    for item in old:
        if _environment_of(item.name) not in needed:
            remove = partial(store.remove, "entries", item.name, unused_since=limit)
            yield Leftover("packages for pods", item.name, item.size, remove)


def _environment_of(key: str) -> str:
    """Return the environment whose packages an entry keeps for one Python."""
    found = _KEPT_KEY.fullmatch(key)
    if found is None:
        raise _make_unknown(key, "keeps no packages of an environment")
    return found["environment"]


def _asked_for(store: Store, requirements: Collection[list[str]]) -> set[str]:
    """Return the environments to which these requirements were resolved, by whatever Python."""
    records = (_read_record(store, item.name) for item in store.contents("entries", RESOLVED))
    return {r.sha256 for r in records if r is not None and r.requirements in requirements}


def _read_record(store: Store, key: str) -> EnvironmentRecord | None:
    """Return what requirements were resolved to; None where the entry is gone meanwhile."""
    entry = store.read(key)
    try:
        return None if entry is None else EnvironmentRecord.model_validate_json(entry)
    except ValidationError as error:
        raise _make_unknown(key, "names no environment") from error


def _make_unknown(key: str, complaint: str) -> Corrupted:
    return Corrupted(
        f"The entry {key} of the store {complaint}: who needs which packages is not known, so"
        " nothing was removed.",
        remedy=(
            "if a newer Perennial has written it, prune with that one; else remove the entry: what"
            " it said is found again when it is needed."
        ),
    )


def _used_at(folder: Path) -> float:
    record = folder / RECORD
    return (record if record.exists() else folder).stat().st_mtime


def _of_champions(settings: Settings, ports: ConfiguredPorts) -> set[Path | None]:
    ledger, store = ports.ledger, ports.store
    models = {entry.model for entry in ledger.entries(kind="champion")}
    champions = [champion for model in models if (champion := ledger.champion(model))]
    records = [read_manifest(store, champion.bundle).environment for champion in champions]
    return {find_overlay(settings, read_lock(record, store)) for record in records if record}


def _remove(settings: Settings, folder: Path, limit: float) -> bool:
    """Remove an overlay unless somebody has begun to use it since; tell whether it went."""
    complaint = "The packages of a model are being installed."
    with hold(folder.with_suffix(".lock"), complaint, seconds=settings.lock_timeout_seconds):
        if not folder.exists() or _used_at(folder) >= limit:
            return False
        shutil.rmtree(folder)
        return True
