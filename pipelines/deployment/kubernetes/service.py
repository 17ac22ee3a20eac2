"""What a model's Service says it serves, asked through the cluster's API server.

So it is the same question from inside of the cluster and from outside, and no network policy has to
let whoever deploys reach the pods.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.deployment.kubernetes import names
from pipelines.deployment.serving_client import read_serves
from pipelines.errors import Unreachable

if TYPE_CHECKING:
    from pipelines.deployment.kubernetes.api import Cluster
    from pipelines.deployment.serving_client import Serves

KNOWN = {200: None, 404: "unknown_model", 503: "model_not_loaded"}


class ServiceClient:
    """The pods of every model, each behind its Service."""

    def __init__(self, cluster: Cluster) -> None:
        """Remember the cluster; nothing is asked."""
        self._cluster = cluster

    def model(self, name: str) -> dict[str, Any]:
        """Return all that the model's pods say of it. Raises Unreachable where none answers."""
        service = names.object_name(name)
        status, text = self._cluster.ask_service(service, names.PORT, f"/models/{name}")
        try:
            body: Any = json.loads(text)
        except ValueError:
            body = None
        if not isinstance(body, dict) or body.get("kind") == "Status" or status not in KNOWN:
            told = body.get("message") if isinstance(body, dict) else text[:200]
            raise Unreachable(
                f"The service {service} in the namespace {self._cluster.namespace} does not"
                f" answer: {told or status}.",
                remedy=(
                    f"look at its pods (`kubectl -n {self._cluster.namespace} get pods`), or"
                    f" `perennial reconcile {name}`."
                ),
            )
        return body

    def serves(self, model: str) -> Serves:
        """Return what the model serves, and what was refused."""
        return read_serves(model, self.model(model))
