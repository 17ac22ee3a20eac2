"""A model's objects in a cluster: Deployment, Service, PodDisruptionBudget and autoscaler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.pod import PORT, READY_SECONDS

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.deployment.kubernetes.api import Object
    from pipelines.settings import Settings
    from pipelines.spec import Spec

KEPT = 3
"""So many old ReplicaSets are kept: their pod templates are what a rollback goes back to."""


def metadata(settings: Settings, release: Release) -> Object:
    """Return what every object of a model is called and labelled."""
    return {
        "name": names.object_name(release.model),
        "labels": names.labels(release, settings),
        "annotations": names.told_of(release),
    }


def deployment(settings: Settings, spec: Spec, release: Release, template: Object) -> Object:
    """Return the Deployment of these pods: one more comes up before one goes."""
    return {
        "kind": "Deployment",
        "metadata": metadata(settings, release),
        "spec": {
            "replicas": spec.deploy.replicas.min,
            "selector": {"matchLabels": names.of_model(release.model, settings)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "minReadySeconds": READY_SECONDS,
            "progressDeadlineSeconds": int(settings.kubernetes_deploy_seconds) + READY_SECONDS,
            "revisionHistoryLimit": KEPT,
            "template": template,
        },
    }


def service(settings: Settings, release: Release) -> Object:
    """Return the Service that callers ask, inside of the cluster."""
    return {
        "kind": "Service",
        "metadata": metadata(settings, release),
        "spec": {
            "type": "ClusterIP",
            "selector": names.of_model(release.model, settings),
            "ports": [
                {"name": names.PORT, "port": PORT, "targetPort": names.PORT, "protocol": "TCP"}
            ],
        },
    }


def disruption_budget(settings: Settings, release: Release) -> Object:
    """Return the budget: of pods that are moved on purpose, one at a time is away."""
    return {
        "kind": "PodDisruptionBudget",
        "metadata": metadata(settings, release),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": names.of_model(release.model, settings)},
        },
    }


def autoscaler(settings: Settings, spec: Spec, release: Release, version: str) -> Object:
    """Return the autoscaler, as this version of its API has it."""
    wanted = spec.deploy.replicas
    aim: Object = (
        {"targetCPUUtilizationPercentage": wanted.cpu}
        if version == "autoscaling/v1"
        else {
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": wanted.cpu},
                    },
                }
            ]
        }
    )
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(settings, release),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": names.object_name(release.model),
            },
            "minReplicas": wanted.min,
            "maxReplicas": wanted.max,
            **aim,
        },
    }


def replicas_within(spec: Spec, replicas: int) -> int:
    """Return how many pods there shall be: what the autoscaler chose, within the spec's bounds."""
    return min(max(replicas, spec.deploy.replicas.min), spec.deploy.replicas.max)


def laid_over(found: Object, wanted: Object) -> Object:
    """Return what was found with our part of it as it shall be; what others added stays.

    Of the spec each key that we name is ours as a whole.
    """
    old = found["metadata"]
    return {
        **found,
        "metadata": {
            **old,
            "labels": {**(old.get("labels") or {}), **wanted["metadata"]["labels"]},
            "annotations": {
                **(old.get("annotations") or {}),
                **wanted["metadata"]["annotations"],
            },
        },
        "spec": {**found["spec"], **wanted["spec"]},
    }
