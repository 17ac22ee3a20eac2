"""Airflow's KubernetesExecutor, in whose rounds runs with news come first (`examine_first`)."""

from __future__ import annotations

from airflow.providers.cncf.kubernetes.executors.kubernetes_executor import KubernetesExecutor

from perennial_airflow.examine_first import ExaminesFirst


class PodExecutor(ExaminesFirst, KubernetesExecutor):
    """A KubernetesExecutor that puts first those runs in which a task has ended."""
