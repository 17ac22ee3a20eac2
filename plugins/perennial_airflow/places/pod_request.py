"""The pod that a step's task asks the cluster for, as Airflow's KubernetesPodOperator makes it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

from perennial_airflow.places.kubernetes_place import TRY
from perennial_airflow.places.pod_setup import (
    CONTAINER,
    GRACE_SECONDS,
    account,
    container_resources,
    container_security,
    node_selector,
    pod_environment,
    pod_labels,
    pod_name,
    pod_security,
    pod_volumes,
    tolerations,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from perennial_airflow.places.step_operator import StepOperator
    from pipelines.settings import Settings


def request_pod(
    task: StepOperator,
    limits: Mapping[str, Any],
    context: Context,
    settings: Settings,
    environ: Mapping[str, str],
) -> k8s.V1Pod:
    """Return the pod of a step, but for the step's request; `limits` are the spec's.

    Of KubernetesPodOperator this uses the pod that it makes of its parameters: with the task's
    labels, and changed by `pod_mutation_hook` where an installation has one. What follows pods is
    `perennial_airflow.places.kubernetes_place`, for the provider's takes up whatever has the task's
    labels, gives a result by a second container, and does not say what keeps a pod from its work.

    Raises GiveUp where no pod can be made of the settings.
    """
    pod = _maker(task, limits, context, settings, environ).build_pod_request_obj(
        context, dry_run=True
    )
    # The names of a namespace's Services would be read as settings of ours.
    pod.spec.enable_service_links = False
    # A first process does not listen to signals that it has no handler for, and buries nobody.
    pod.spec.share_process_namespace = True
    pod.metadata.annotations = {**(pod.metadata.annotations or {}), TRY: uuid.uuid4().hex}
    return pod


def _maker(
    task: StepOperator,
    limits: Mapping[str, Any],
    context: Context,
    settings: Settings,
    environ: Mapping[str, str],
) -> KubernetesPodOperator:
    ti = context["ti"]
    service_account, sees_token = account(settings, task.step)
    volumes, mounts = pod_volumes(settings)
    pull_secret = settings.kubernetes_steps_pull_secret
    return KubernetesPodOperator(
        task_id=task.task_id,
        name=pod_name(settings, task.model, task.step, ti.dag_id, ti.run_id, ti.map_index),
        random_name_suffix=False,
        namespace=settings.kubernetes_namespace,
        labels=pod_labels(task.model, task.step),
        image=settings.steps_image,
        image_pull_policy=settings.kubernetes_steps_pull_policy,
        image_pull_secrets=[k8s.V1LocalObjectReference(name=pull_secret)] if pull_secret else [],
        base_container_name=CONTAINER,
        env_vars=pod_environment(environ, settings, task.step),
        container_resources=container_resources(limits),
        node_selector=node_selector(settings),
        tolerations=tolerations(settings),
        service_account_name=service_account,
        automount_service_account_token=sees_token,
        security_context=pod_security(settings),
        container_security_context=container_security(settings),
        volumes=volumes,
        volume_mounts=mounts,
        termination_grace_period=GRACE_SECONDS,
        active_deadline_seconds=_deadline(task, settings),
        do_xcom_push=False,
        deferrable=False,
    )


def _deadline(task: StepOperator, settings: Settings) -> int | None:
    """Return after how many seconds the node ends the pod, where nobody is left to do it.

    A worker that is there ends it at the task's time itself.
    """
    if task.execution_timeout is None:
        return None
    seconds = task.execution_timeout.total_seconds() + settings.kubernetes_steps_pending_seconds
    return max(1, round(seconds))
