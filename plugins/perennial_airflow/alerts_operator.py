"""The task that tells people what has not been told yet."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from pipelines.errors import GiveUp, PerennialError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from perennial_airflow.task_log import Log
    from pipelines.alerts.post import Post


class TellPeople(BaseOperator):
    """Sends what is owed and gives how many messages were told and how many are left.

    It runs in the worker and not in a place: addresses are secrets, and the containers of steps run
    code of models. Neither its log nor its XCom names an address.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#fdeaf4"

    def __init__(self, *, post: Post | None = None, **kwargs: Any) -> None:
        """Remember by what to send; None: by Apprise."""
        super().__init__(**kwargs)
        self._post = post

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002 -- Airflow's signature
        """Send; fail where a service takes no message, so that somebody sees it in Airflow too."""
        try:
            return deliver(self.log, self._post)
        except GiveUp as error:
            raise AirflowFailException(str(error)) from error
        except PerennialError as error:
            raise AirflowException(str(error)) from error


def deliver(log: Log, post: Post | None = None) -> dict[str, int]:
    """Send what is owed, by Apprise where no other post is given, and write into the log what came
    of it.

    Raises AirflowException where a service takes no message.
    """
    # Loaded by the task alone: what Airflow parses knows no ledger
    from pipelines.alerts.opening import describe, open_outbox
    from pipelines.alerts.post import ApprisePost
    from pipelines.ports import ConfiguredPorts

    settings = load_settings()
    outbox = open_outbox(settings, ConfiguredPorts(settings).ledger)
    way = post or ApprisePost(settings.alert_timeout_seconds)
    delivery = outbox.empty(way, datetime.now(UTC))
    for line in describe(delivery):
        log.log(logging.INFO, "%s", line)
    if delivery.why:
        text = "; ".join(f"{route}: {why}" for route, why in delivery.why.items())
        raise AirflowException(
            f"Not all was told: {text}. Remedy: the next run tries again;"
            " `perennial alert --test --send` tries the routes."
        )
    return {"told": len(delivery.told), "left": len(delivery.left)}
