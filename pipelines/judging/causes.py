"""What started a retraining, by what nobody can claim who merely names a run.

A trigger may give a run any name and any reason. So drift's runs are those that the ledger holds a
request for, and the schedule's those whose name Airflow keeps for its scheduler: it refuses a run
of that name by anybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.ledger import RetrainRequest
from pipelines.run_names import is_scheduled

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.ledger import Ledger
    from pipelines.spec.rules import Cause


def cause_of(ledger: Ledger, model: str, run: str, as_of: datetime) -> Cause:
    """Return what started the run that lives in `as_of`: a window where the ledger holds its
    request for that moment, or for the newest rows; by the clock where the policy went by one.
    """
    for entry in ledger.entries(model, "retrain_request"):
        asked = entry.decision
        if isinstance(asked, RetrainRequest) and asked.run_id == run:
            if asked.conf.as_of not in {None, as_of}:
                return "hand"
            return "schedule" if asked.policy == "schedule" else "change"
    return "schedule" if is_scheduled(run) else "hand"
