"""That people were told of something, by which route; so nobody is told of it twice."""

from __future__ import annotations

from typing import Literal

from pipelines.ledger.decision import Decision


class Alert(Decision):
    """A message that a route's service has taken.

    `incident` is the key of what it speaks of (see `pipelines.alerts.incidents`); `open` says that
    it has begun, `over` that it has ended. Two states are no messages: `watched` says that a route
    tells of the model from here on, `noticed` that a drift check was late, which the clock alone
    would tell. A route's name stands here, never its address.
    """

    kind: Literal["alert"] = "alert"
    route: str
    state: Literal["watched", "noticed", "open", "over"]
    incident: str = ""
    title: str = ""

    @property
    def words(self) -> str:
        """It in words, as a list of decisions shows it."""
        if self.state == "watched":
            return f"the route {self.route} tells of this model from here on"
        if self.state == "noticed":
            return "a drift check has not run in time"
        return f"told by the route {self.route}: {self.title}"
