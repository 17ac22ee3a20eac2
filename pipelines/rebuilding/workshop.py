"""The clean folder in which a version is built again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.environments.overlay import overlays
from pipelines.errors import Corrupted
from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.rebuilding.folders import rebuild_folder
from pipelines.rebuilding.inputs import InputStore
from pipelines.registry.memory import MemoryRegistry
from pipelines.spec import load_spec
from pipelines.versions.memory import MemoryVersions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipelines.context import Context


@contextmanager
def workshop(context: Context, files: Mapping[str, bytes]) -> Iterator[Context]:
    """Yield a context like the given one, in a home that holds these files and nothing else.

    All its ports are its own: store and features are empty, the registry and the ledger are in
    memory, and the ledger knows the champions, by whose clusters others are named. Packages that
    the model requires are those that are installed. Nothing is left when it ends.

    Raises SpecError where the files are no model of this version of Perennial.
    """
    with rebuild_folder(context.settings) as folder:
        home, state, features = (folder / name for name in ("home", "state", "features"))
        _write(home, files)
        state.mkdir()
        features.mkdir()
        installed = overlays(context.settings)
        installed.mkdir(parents=True, exist_ok=True)
        settings = context.settings.replace(
            home=home, state=state, store=str(state / "store"), comparison_seconds=0, plots=False
        )
        overlays(settings).symlink_to(installed, target_is_directory=True)
        ports = Ports(
            InputStore(state / "store", context.ports.store),
            MemoryVersions(features),
            MemoryRegistry(),
            _champions(context),
        )
        spec = load_spec(settings.models, context.spec.name)
        # A fresh context: what the other one has worked out is of the folder as it is now.
        yield replace(context, spec=spec, settings=settings, ports=ports)


def _write(home: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = home / name
        if not path.resolve().is_relative_to(home.resolve()):
            raise Corrupted(f"The recipe names a file outside of its folder: {name!r}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _champions(context: Context) -> MemoryLedger:
    """Return a ledger that knows who was champion, and nothing else."""
    ledger = MemoryLedger()
    for entry in context.ports.ledger.entries(context.spec.name, "champion"):
        ledger.append(entry.model, entry.key, entry.decision)
    return ledger
