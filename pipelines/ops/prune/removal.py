"""Take away what nobody needs, and never what the ledger refers to (docs/decisions/0016-what-prune-
may-remove.md).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pipelines.errors import Busy, RequestError, Unreachable
from pipelines.ledger.memory import utc_now
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.agreement import mlflow_and_ledger, store_and_ledger
from pipelines.ops.lock import alone, held
from pipelines.ops.prune import leftovers, mlflow_runs
from pipelines.ops.prune.images import unneeded
from pipelines.ops.prune.leftover import Leftover
from pipelines.ops.prune.leftovers import YOUNGEST_SECONDS

if TYPE_CHECKING:
    from datetime import timedelta

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.ports import EmbeddedPorts
    from pipelines.settings import Settings

__all__ = ["Leftover", "found", "prune"]


def found(
    settings: Settings,
    ports: EmbeddedPorts,
    older_than: timedelta,
    engine: ReleaseEngine | None = None,
) -> list[Leftover]:
    """Return everything that can go, having changed nothing.

    `engine` is asked for images where releases are containers.

    What a backup or restore works on that is under way is not among it. Raises as `prune` does.
    """
    going = _found(settings, ports, older_than, engine)
    try:
        with alone(settings):
            return [*leftovers.killed(settings), *going]
    except Busy:
        return going


def _found(
    settings: Settings, ports: EmbeddedPorts, older_than: timedelta, engine: ReleaseEngine | None
) -> list[Leftover]:
    """Return everything that can go but what killed backups left.

    Raises RequestError for a limit below a day or a ledger that is not this store's, Corrupted
    where the ledger or an object on the way to others is damaged: what those refer to is not known.
    """
    if older_than.total_seconds() < YOUNGEST_SECONDS:
        raise RequestError(
            f"--older-than {older_than}: what is younger than a day may be of a run at work.",
            remedy="name 1d or more.",
        )
    _refuse_wrong_ledger(settings, ports)
    ports.ledger.verify()
    now = utc_now()
    limit = (now - older_than).timestamp()
    keys = list(leftovers.results(settings, ports, limit))
    return [
        *leftovers.half_written(settings, now),
        *keys,
        *leftovers.objects(settings, ports, keys, limit),
        *leftovers.cached_features(settings, limit),
        *mlflow_runs.unneeded(settings, ports.ledger, limit),
        *leftovers.logs(settings, limit),
        *(unneeded(engine, ports.ledger) if engine is not None else ()),
    ]


def prune(
    settings: Settings,
    ports: EmbeddedPorts,
    older_than: timedelta,
    engine: ReleaseEngine | None = None,
) -> list[Leftover]:
    """Remove what `found` finds and return what was removed.

    Raises also Busy where a backup or a writer of features is at work.
    """
    seconds = settings.lock_timeout_seconds
    features = f"A writer has held {settings.versions_dir} for {seconds:g} s."
    versions = (
        held(settings.versions_dir / "lock", features, seconds)
        if settings.versions_dir.is_dir()
        else contextlib.nullcontext()
    )
    with alone(settings), versions:
        going = [*_found(settings, ports, older_than, engine), *leftovers.killed(settings)]
        return [leftover for leftover in going if _removed(leftover)]


def _refuse_wrong_ledger(settings: Settings, ports: EmbeddedPorts) -> None:
    """Raise RequestError where the ledger is not this store's.

    Whatever its own one refers to would look forsaken.
    """
    remedy = "check PERENNIAL_LEDGER_URL, PERENNIAL_STATE and PERENNIAL_STORE; nothing was removed."
    if SqlLedger(settings.ledger, migrate=False).revision() is None:
        raise RequestError("There is no ledger, so nobody knows what is needed.", remedy=remedy)
    for finding in (*store_and_ledger(settings, ports), *mlflow_and_ledger(settings, ports)):
        if finding.state == "problem":
            raise RequestError(finding.said, remedy=remedy)


def _removed(leftover: Leftover) -> bool:
    """Remove it; tell whether it went. A file that somebody touched since it was found stays."""
    if leftover.path is None:
        if leftover.remove is not None:
            leftover.remove()
        return True
    limit = leftover.older_than
    try:
        if leftover.path.stat().st_mtime >= limit:
            return False
        leftover.path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unreachable(
            f"{leftover.path} cannot be removed: {error}.",
            remedy="check the folder's owner, then run again.",
        ) from error
    return True
