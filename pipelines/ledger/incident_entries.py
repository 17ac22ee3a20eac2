"""What happened to an incident: one entry when it is opened, answered, closed, and open again.

How often it was seen stands in no entry of its own: the drift checks and outcomes that led to it
are in the ledger already, and are counted there (see `pipelines.incidents`). So a storm writes no
more than its first alarm.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipelines.intervals import Moment
from pipelines.ledger.decision import Decision

What = Literal[
    "alarm", "quarantine", "refused", "failed_retraining", "failed_deployment", "no_check"
]
"""`alarm`: a window in which something is broken. `quarantine`: a batch that broke what was
expected of it. `refused`: challengers refused in a row, so that the policy has stopped.
`failed_retraining` and `failed_deployment`: a run that ended before its verdict, or after it.
`no_check`: a drift check that did not run.
"""
IncidentStep = Literal["opened", "acknowledged", "snoozed", "closed", "reopened"]


class IncidentEvent(Decision):
    """A step in the life of the incident `number` of a model.

    `what` and `cause` tell incidents apart: one of each is open at a time. `words` say why: of an
    opening what was found, of an answer the person's reason. `by` is who answered; empty where
    Perennial did. `until` is how long it is snoozed. `first` is the number of the entry that led to
    an opening, or to a reopening; None where none did. `format` is the form of this entry.
    """

    kind: Literal["incident"] = "incident"
    format: Literal[1] = 1
    number: Annotated[int, Field(ge=1)]
    event: IncidentStep
    what: What
    cause: str
    words: str
    by: str = ""
    until: Moment | None = None
    first: int | None = None
