"""The lock that lets one deployment of a model be at work at a time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pipelines.errors import Busy
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.context import Context


@contextlib.contextmanager
def locked(context: Context) -> Iterator[None]:
    """Hold the model's deployment lock, a file in the state folder. Raises Busy."""
    import filelock

    folder = context.settings.state_dir / "deploy"
    make_folder(folder)
    seconds = context.settings.lock_timeout_seconds
    try:
        with filelock.FileLock(folder / f"{context.spec.name}.lock", timeout=seconds, mode=0o600):
            yield
    except filelock.Timeout as error:
        words = f"Another deployment of {context.spec.name} has been at work for {seconds:g} s."
        raise Busy(
            words, remedy="wait for it to end; `perennial status` says what serves."
        ) from error
