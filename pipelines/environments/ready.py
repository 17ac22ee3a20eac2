"""An environment that is ready: its folders, for the `sys.path` of the process that needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.environments.image_overlay import find_in_image
from pipelines.environments.overlay import install

if TYPE_CHECKING:
    from pipelines.environments.record import EnvironmentRecord
    from pipelines.settings import Settings
    from pipelines.store.port import Store


def read_lock(record: EnvironmentRecord, store: Store) -> str:
    """Return an environment's lock text, verified. Raises Corrupted."""
    return store.get(record.lock).decode()


def paths(record: EnvironmentRecord, settings: Settings, store: Store) -> list[str]:
    """Return the folders to append to `sys.path` for an environment, installed where they are not.

    In an image that brings the packages of its release they are those, and nothing is installed.

    Append them: in PYTHONPATH, or in front, they would come before what Perennial runs on. Another
    Python than the one it was resolved for gets the same versions, as wheels of its own. Raises
    what `install` and `find_in_image` raise.
    """
    if settings.packages is not None:
        return [find_in_image(record, settings.packages)]
    return install(settings, read_lock(record, store))
