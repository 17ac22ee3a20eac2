"""Packages of models that nobody used for long: they are installed again when they are needed."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from pipelines.bundle.load import read_manifest
from pipelines.environments.overlay import find_overlay, overlays
from pipelines.environments.ready import read_lock
from pipelines.environments.recorded_files import RECORD
from pipelines.locks import hold
from pipelines.ops.prune.leftover import Leftover

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings


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
