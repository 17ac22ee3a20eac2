"""That people were told of something, by which route; so nobody is told of it twice."""

from __future__ import annotations

from typing import Literal

from pipelines.ledger.decision import Decision


class Alert(Decision):
    """A message that a route's service has taken.

    `incident` is the key of what it speaks of (see `pipelines.alerts.incidents`); `open` says that
    it has begun, `over` that it has ended. `watched` is no message: it says that a route tells of
    the model from here on. A route's name stands here, never its address.
    """

    kind: Literal["alert"] = "alert"
    route: str
    state: Literal["watched", "open", "over"]
    incident: str = ""
    title: str = ""

    @property
    def words(self) -> str:
        """It in words, as a list of decisions shows it."""
        if self.state == "watched":
            return f"the route {self.route} tells of this model from here on"
        return f"told by the route {self.route}: {self.title}"
