"""A cluster's objects of models that never had a champion: nobody ended their deployment."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.api import DEPLOYMENT
from pipelines.deployment.kubernetes_target import remove_model
from pipelines.ops.prune.leftover import Leftover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.deployment.kubernetes.api import Cluster
    from pipelines.ledger import Ledger
    from pipelines.settings import Settings


def unused_deployments(
    settings: Settings, cluster: Cluster, ledger: Ledger, limit: float
) -> Iterator[Leftover]:
    """Yield Deployments of this installation, made before the limit, of models without a champion.

    `limit`: seconds since 1970; a younger one may be of a deployment at work. One whose model has a
    champion serves, whatever folders there are here: `doctor` tells of it. Raises Unreachable.
    """
    chosen = {names.KIND: "release", names.INSTALLATION: names.installation(settings)}
    for found in cluster.find(DEPLOYMENT, labels=names.selector(chosen)):
        metadata = found["metadata"]
        model = (metadata.get("annotations") or {}).get(names.MODEL, "")
        made = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
        if (
            made < limit
            and names.is_of_model(found, model, settings)
            and not ledger.champion(model)
        ):
            remove = partial(_remove, settings, cluster, model)
            yield Leftover("Deployment", metadata["name"], 0, remove)


def _remove(settings: Settings, cluster: Cluster, model: str) -> bool:
    return bool(remove_model(cluster, settings, model))
