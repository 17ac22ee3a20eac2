"""An environment that is ready: its folders, for the `sys.path` of the process that needs it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipelines.environments.image_overlay import find_in_image, folder_of
from pipelines.environments.interpreter import absent_packages, describe_running
from pipelines.environments.kept import find_kept, keep, lay
from pipelines.environments.lock import packages
from pipelines.environments.overlay import install, overlays
from pipelines.environments.record import running_python
from pipelines.environments.recorded_files import SITE, find_damage, write_record
from pipelines.errors import Corrupted, GiveUp, Unreachable

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pipelines.environments.kept import KeptPackages
    from pipelines.environments.record import EnvironmentRecord
    from pipelines.settings import Settings
    from pipelines.store.port import Store


def read_lock(record: EnvironmentRecord, store: Store) -> str:
    """Return an environment's lock text, verified. Raises Corrupted."""
    return store.get(record.lock).decode()


def paths(record: EnvironmentRecord, settings: Settings, store: Store) -> list[str]:
    """Return the folders to append to `sys.path` for an environment, installed where they are not.

    In an image that brings the packages of its release they are those, and nothing is installed.
    With a bucket they are kept in it by whoever is the first to need them; from then on no index is
    asked.

    Append them: in PYTHONPATH, or in front, they would come before what Perennial runs on. Another
    Python than the one it was resolved for gets the same versions, as wheels of its own. Raises
    what `install` and `find_in_image` raise.
    """
    if settings.packages is not None:
        return [find_in_image(record, settings.packages)]
    lock = read_lock(record, store)

    def keep_all() -> KeptPackages:
        return keep(record, lock, store, overlays(settings))

    def lay_kept(names: Collection[str], site: Path) -> bool:
        kept = find_kept(record, store) or (keep_all() if settings.has_bucket else None)
        if kept is None:
            return False
        try:
            lay(kept, names, site, store)
        except Corrupted as damage:
            try:
                kept = keep_all()
            except Unreachable:
                raise damage from None
            lay(kept, names, site, store)
        return True

    return install(settings, lock, lay_kept)


def keep_packages(record: EnvironmentRecord, settings: Settings, store: Store) -> None:
    """Have the packages of an environment in the store, for pods that reach nothing else.

    Raises what `keep` raises.
    """
    keep(record, read_lock(record, store), store, overlays(settings))


def bring_packages(record: EnvironmentRecord, store: Store, folder: Path) -> None:
    """Lay the kept packages that this Python lacks below `folder`, as `find_in_image` finds them.

    Raises GiveUp where none are kept for this Python, Conflict where it has another version of one,
    and what `lay` raises.
    """
    kept = find_kept(record, store)
    if kept is None:
        raise GiveUp(
            f"The store keeps no packages of environment {record.sha256[:12]}"
            f" ({', '.join(record.requirements)}) for {running_python()}.",
            remedy="build all images on one Python (make images BASE=…), and deploy it anew.",
        )
    absent = absent_packages(
        packages(read_lock(record, store)),
        describe_running().packages,
        where="the image of the release's pods",
        remedy="run `make images`, with the lock that the model was trained by.",
    )
    target = folder / folder_of(record)
    if find_damage(target, thorough=True):
        shutil.rmtree(target, ignore_errors=True)
        lay(kept, absent, target / SITE, store)
        write_record(target)
