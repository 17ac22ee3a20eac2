"""Airflow's CeleryExecutor, which keeps what it cannot hand out while the broker is away.

Airflow's own takes a broker that refuses for a failure of the task: its three tries are over within
a minute. Here the task stays queued and is handed out when the broker is back. One that waits for
longer than half an hour the scheduler fails, as it does one that no worker takes
(`task_queued_timeout`, `num_stuck_in_queued_retries`).
"""

from __future__ import annotations

from typing import Any

from airflow.providers.celery.executors.celery_executor import CeleryExecutor
from airflow.providers.celery.executors.celery_executor_utils import ExceptionWithTraceback
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError

from perennial_airflow.examine_first import ExaminesFirst

TRIES = 100_000
"""More than there are in half an hour: the scheduler's patience ends it, not their number."""

AWAY = (OperationalError, OSError, AMQPError)
"""What is raised where the broker cannot be reached, refuses, or breaks off.

RabbitMQ refuses by errors of its own protocol, which kombu hands on as they are.
"""


class PatientCeleryExecutor(ExaminesFirst, CeleryExecutor):
    """A CeleryExecutor to which a broker that is away is like one that is slow."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Set how often a task may be handed out in vain."""
        super().__init__(*arguments, **options)
        self.workload_publish_max_retries = TRIES

    def _send_workloads_to_celery(self, workload_tuples_to_send: Any) -> list[Any]:
        sent = super()._send_workloads_to_celery(workload_tuples_to_send)
        return [(key, arguments, as_slow(result)) for key, arguments, result in sent]


def as_slow(result: Any) -> Any:
    """Return what came of handing out a task; a broker that is away as one that was too slow."""
    if isinstance(result, ExceptionWithTraceback) and isinstance(result.exception, AWAY):
        words = f"the broker is away: {result.exception}"
        return ExceptionWithTraceback(AirflowTaskTimeout(words), result.traceback)
    return result
