"""One operation on the whole state at a time.

A backup must not copy what `prune` is taking away.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pipelines.errors import Unreachable
from pipelines.locks import hold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings


@contextlib.contextmanager
def hold_state(settings: Settings) -> Iterator[None]:
    """Hold off other backups, restores and prunes of this state.

    Raises Busy at once where one is at work, Unreachable where the folder cannot be written.
    """
    complaint = "Another backup, restore or prune of this state is at work."
    with _hold(settings.state / "ops.lock", complaint, seconds=0):
        yield


@contextlib.contextmanager
def hold_features(settings: Settings) -> Iterator[None]:
    """Hold off writers of features, where there are any.

    Raises Busy where one has been at work too long, Unreachable where the folder cannot be written.
    """
    folder, seconds = settings.versions, settings.lock_timeout_seconds
    if not folder.is_dir():
        yield
        return
    complaint = f"A writer has held {folder} for {seconds:g} s."
    with _hold(folder / "lock", complaint, seconds=seconds):
        yield


@contextlib.contextmanager
def _hold(path: Path, complaint: str, *, seconds: float) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(path, complaint, seconds=seconds))
        except OSError as error:
            raise Unreachable(
                f"{path.parent} cannot be written: {error}.",
                remedy="check the folder's permissions and space.",
            ) from error
        yield
