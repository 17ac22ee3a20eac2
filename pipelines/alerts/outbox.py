"""What is owed to whom, and its sending: once, later where a service is away, in order.

What must be told is read from the ledger anew each time; what a service has taken is written there
under route, incident and state, after it was taken. So nothing is lost, and nothing is told twice,
but for one case that no network allows to mend: a sender that is killed, or a service that goes
silent, between the taking of a message and our knowing of it. Then it is sent again.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pipelines.alerts.incidents import Incident, incidents_of
from pipelines.alerts.late import note_late_check
from pipelines.alerts.texts import State, message_of
from pipelines.ledger import Alert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipelines.alerts.post import Post
    from pipelines.alerts.routes import Route, Routes
    from pipelines.alerts.texts import Message
    from pipelines.ledger import Entry, Ledger
    from pipelines.settings import Settings
    from pipelines.spec import Spec

TURN = "alerts"
"""What one sender at a time has, on whichever machine it is."""

MOST = 20
"""Messages that a route is sent in one go; the rest follows in the next."""


class Owed(NamedTuple):
    """A message that a route has not been told yet."""

    route: str
    incident: Incident
    state: State

    @property
    def key(self) -> str:
        """The key under which the ledger says that it was told."""
        return f"{self.route}/{self.incident.key}/{self.state}"


@dataclass
class Delivery:
    """What came of one emptying: what was told, what is left and why, by route."""

    told: list[Owed] = field(default_factory=list)
    left: list[Owed] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    is_busy: bool = False
    """Another sender is at work, which tells what there is."""


@dataclass(frozen=True)
class Outbox:
    """Who is told of what.

    `specs` are the models by name; a spec that is broken is None: such a model is told of by the
    routes that have told of it before.
    """

    ledger: Ledger
    routes: Routes
    specs: Mapping[str, Spec | None]
    settings: Settings

    def owed(self, now: datetime) -> list[Owed]:
        """Return what is owed, the oldest first; nothing is written.

        Of one moment an incident's beginning comes before its end, and both before the next one's.
        """
        messages = [owed for model in sorted(self.specs) for owed in self._find_owed(model, now)]
        return sorted(messages, key=_when)

    def empty(self, post: Post, now: datetime) -> Delivery:
        """Send what is owed, and write down what was taken."""
        with self.ledger.turn(TURN) as is_ours:
            if not is_ours:
                return Delivery(is_busy=True)
            self._begin(now)
            owed, delivery = self.owed(now), Delivery()
            for name, route in self.routes.routes.items():
                own = [message for message in owed if message.route == name]
                if own:
                    self._send(post, route, own, delivery)
            return delivery

    def _begin(self, now: datetime) -> None:
        """Write down which routes tell of which models from now on, and which checks are late."""
        for model in sorted(self.specs):
            names = self._routes_of(model)
            marks = [(f"{name}/watched", Alert(route=name, state="watched")) for name in names]
            self.ledger.append_many(model, marks)
            spec = self.specs.get(model)
            if names and spec is not None:
                note_late_check(self.ledger, spec, self._since(model, now), now)

    def _send(self, post: Post, route: Route, owed: list[Owed], delivery: Delivery) -> None:
        """Send a route what it is owed, until its service takes no more."""
        texts = [self.message(message) for message in owed[:MOST]]
        count = 0
        with closing(post.send(route, texts)) as answers:
            for message, text, why in zip(owed, texts, answers, strict=False):
                if why:
                    delivery.why[message.route] = why
                    break
                self._write_down(message, text.title)
                delivery.told.append(message)
                count += 1
        delivery.left.extend(owed[count:])

    def _write_down(self, owed: Owed, title: str) -> None:
        told = Alert(route=owed.route, state=owed.state, incident=owed.incident.key, title=title)
        self.ledger.append(owed.incident.model, owed.key, told)

    def message(self, owed: Owed) -> Message:
        """Return what is said."""
        model = owed.incident.model
        spec, champion = self.specs.get(model), self.ledger.champion(model)
        return message_of(
            owed.incident,
            owed.state,
            owner=spec.owner if spec is not None else "",
            champion=champion.version if champion is not None else None,
            routes=self.routes,
            settings=self.settings,
        )

    def _find_owed(self, model: str, now: datetime) -> list[Owed]:
        names = self._routes_of(model)
        if not names:
            return []
        alerts = {entry.key: entry for entry in self.ledger.entries(model, "alert")}
        incidents = incidents_of(self.ledger, model, now)
        messages = []
        for name in names:
            tells = self.routes.routes[name].tell
            mark = alerts.get(f"{name}/watched")
            news = (i for i in incidents if i.about in tells and _is_news(i, mark))
            for incident in news:
                states: list[State] = ["open"] if incident.over is None else ["open", "over"]
                messages += [Owed(name, incident, state) for state in states]
        return [message for message in messages if message.key not in alerts]

    def _since(self, model: str, now: datetime) -> datetime:
        """Return since when anybody is told of a model."""
        alerts = self.ledger.entries(model, "alert")
        marks = (entry.at for entry in alerts if entry.body.get("state") == "watched")
        return min(marks, default=now)

    def _routes_of(self, model: str) -> list[str]:
        """Return the names of the routes that tell of a model."""
        spec = self.specs.get(model)
        if spec is not None:
            routes = self.routes.routes.items()
            return [name for name, route in routes if route.tells_of(model, spec.owner)]
        before = {
            entry.body.get("route")
            for entry in self.ledger.entries(model, "alert")
            if entry.body.get("state") == "watched"
        }
        return [
            name
            for name, route in self.routes.routes.items()
            if name in before or route.tells_of(model, "")
        ]


def _is_news(incident: Incident, mark: Entry | None) -> bool:
    """Tell whether a route tells of an incident: one that was there before the route is told of
    only while it lasts.
    """
    if mark is None:  # nothing was ever sent: what lasts now
        return incident.ended is None and incident.matter != "refusal"
    if incident.opened.seq > mark.seq:
        return True
    ended = incident.ended
    return incident.matter != "refusal" and (ended is None or ended > mark.at)


def _when(owed: Owed) -> datetime:
    event = owed.incident.opened if owed.state == "open" else owed.incident.over
    if event is None:
        raise RuntimeError("An incident that lasts is not over.")
    return event.at
