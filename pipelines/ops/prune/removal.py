"""Take away what nobody needs, and never what the ledger refers to (docs/decisions/0016-what-prune-
may-remove.md), but for Evidently's pages of looks (`look_pages`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import Busy, RequestError
from pipelines.ledger.memory import utc_now
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.agreement import mlflow_and_ledger, store_and_ledger
from pipelines.ops.lock import hold_features, hold_state
from pipelines.ops.prune import files, store_leftovers
from pipelines.ops.prune.deployments import unused_deployments
from pipelines.ops.prune.environments import unneeded_kept, unused_environments
from pipelines.ops.prune.images import unused_environment_images, unused_images
from pipelines.ops.prune.look_pages import old_look_pages
from pipelines.ops.prune.mlflow_runs import unused_runs
from pipelines.ops.prune.page_copies import page_copies

if TYPE_CHECKING:
    from datetime import timedelta

    from pipelines.deployment.docker.engine import ReleaseEngine
    from pipelines.deployment.kubernetes.api import Cluster
    from pipelines.ops.prune.leftover import Leftover
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings

UNFINISHED_SECONDS = 3_600
"""What was begun longer ago than this, and is not finished, belongs to nobody who lives."""

YOUNGEST_SECONDS = 86_400
"""Whatever is younger may belong to a step at work that has not said so yet."""


def find_leftovers(
    settings: Settings,
    ports: ConfiguredPorts,
    older_than: timedelta,
    engine: ReleaseEngine | None = None,
    cluster: Cluster | None = None,
) -> list[Leftover]:
    """Return everything that can go, having changed nothing.

    `engine` is asked for images where releases are containers, `cluster` where they are pods.

    What a backup or restore works on that is under way is not among it. Raises as `prune` does.
    """
    leftovers = _find(settings, ports, older_than, engine, cluster)
    try:
        with hold_state(settings):
            return [*files.abandoned_scratch(settings), *leftovers]
    except Busy:
        return leftovers


def _find(
    settings: Settings,
    ports: ConfiguredPorts,
    older_than: timedelta,
    engine: ReleaseEngine | None,
    cluster: Cluster | None,
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
    limit, write_limit = (now - older_than).timestamp(), now.timestamp() - UNFINISHED_SECONDS
    entries = [
        *store_leftovers.old_entries(ports, limit),
        *unneeded_kept(settings, ports, limit),
    ]
    objects = list(store_leftovers.old_objects(settings, ports, entries, limit))
    day_limit = now.timestamp() - YOUNGEST_SECONDS
    return [
        *store_leftovers.unfinished_objects(ports.store, write_limit),
        *files.unfinished_files(settings, write_limit),
        *files.abandoned_rebuilds(settings),
        *entries,
        *objects,
        *store_leftovers.old_signatures(ports, objects, limit),
        *old_look_pages(settings, ports, now),
        *page_copies(settings, ports, day_limit),
        *files.cached_features(settings, limit),
        *unused_runs(settings, ports.ledger, limit),
        *files.old_logs(settings, limit),
        *files.unused_replays(settings, limit),
        *unused_environments(settings, ports, limit),
        *(unused_images(engine, ports.ledger) if engine is not None else ()),
        *(unused_environment_images(engine, limit) if engine is not None else ()),
        *(unused_deployments(settings, cluster, ports.ledger, limit) if cluster else ()),
    ]


def prune(
    settings: Settings,
    ports: ConfiguredPorts,
    older_than: timedelta,
    engine: ReleaseEngine | None = None,
    cluster: Cluster | None = None,
) -> list[Leftover]:
    """Remove what `find_leftovers` finds and return what was removed.

    Raises also Busy where a backup or a writer of features is at work.
    """
    with hold_state(settings), hold_features(settings):
        leftovers = _find(settings, ports, older_than, engine, cluster)
        leftovers += files.abandoned_scratch(settings)
        return [leftover for leftover in leftovers if leftover.remove()]


def _refuse_wrong_ledger(settings: Settings, ports: ConfiguredPorts) -> None:
    """Raise RequestError where the ledger is not this store's.

    Whatever its own one refers to would look forsaken.
    """
    remedy = "check PERENNIAL_LEDGER_URL, PERENNIAL_STATE and PERENNIAL_STORE; nothing was removed."
    if SqlLedger(settings.ledger_url, migrate=False).revision() is None:
        raise RequestError("There is no ledger, so nobody knows what is needed.", remedy=remedy)
    for finding in (*store_and_ledger(settings, ports), *mlflow_and_ledger(settings, ports)):
        if finding.state == "problem":
            raise RequestError(finding.said, remedy=remedy)
