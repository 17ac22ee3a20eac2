"""The place `kubernetes`: the operator that runs any step in a pod of the steps image, under the
limits of the model's spec.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from perennial_airflow.kept_settings import current_settings
from perennial_airflow.places.step_operator import StepOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from perennial_airflow.places.place import Place
    from pipelines.settings import Settings


class KubernetesStepOperator(StepOperator):
    """Runs one step of one model in a pod of its own, which is gone when the task ends.

    `limits` are the spec's: {"memory", "cpus"}, each of which may be absent. The pod is worked out
    when the step starts, from the worker's environment; it holds no secret, only where secrets
    stand. The cluster's libraries take seconds to import, so nothing that is parsed imports them.
    """

    def __init__(
        self,
        *,
        limits: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember what to run; the cluster is not asked before `execute`."""
        super().__init__(**kwargs)
        self.limits = dict(limits or {})
        self._settings = settings or current_settings()

    def _place(self, context: Context) -> Place:
        """Return a pod for this try of the step."""
        if self.place is not None:
            return self.place
        from perennial_airflow.places.cluster import Cluster
        from perennial_airflow.places.kubernetes_place import KubernetesPlace
        from perennial_airflow.places.pod_request import request_pod

        settings = self._settings
        pod = request_pod(self, self.limits, context, settings, os.environ)
        return KubernetesPlace(
            Cluster.of(settings),
            pod,
            memory=self.limits.get("memory"),
            pending_seconds=settings.kubernetes_steps_pending_seconds,
        )
