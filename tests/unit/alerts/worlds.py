"""A ledger with its clock, routes and models, for the tests of alerts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.alerts.outbox import Outbox
from pipelines.alerts.routes import Routes
from pipelines.incidents import note_check, note_outcome
from pipelines.ledger import MemoryLedger, Outcome
from pipelines.settings import Settings, load_settings
from tests.decisions import crown, drift_check

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pipelines.alerts.routes import Route
    from pipelines.alerts.texts import Message
    from pipelines.spec import Spec

START = datetime(2024, 1, 1, tzinfo=UTC)
SECRET = "t0psecret"


@dataclass
class Clock:
    """A clock that tests set."""

    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, **span: float) -> datetime:
        self.moment += timedelta(**span)
        return self.moment


@dataclass
class MemoryPost:
    """Keeps what it is handed; the routes in `away` take nothing."""

    taken: list[tuple[str, Message]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)

    def send(self, route: Route, messages: Sequence[Message]) -> Generator[str]:
        address = route.to.get_secret_value()
        for message in messages:
            if address in self.away:
                yield "the service could not be reached"
                return
            self.taken.append((address, message))
            yield ""

    @property
    def titles(self) -> list[str]:
        return [message.title for _, message in self.taken]


def routes(*, airflow: str | None = None, **by_name: dict[str, Any] | str) -> Routes:
    """Return routes; one that is a text is told of everything."""
    body = {n: {"to": r} if isinstance(r, str) else r for n, r in by_name.items()}
    return Routes.model_validate({"airflow": airflow, "routes": body})


@dataclass
class World:
    """An outbox of the model `sales` whose ledger is in memory."""

    clock: Clock = field(default_factory=Clock)
    ledger: Any = None
    settings: Settings = field(default_factory=lambda: load_settings({}))
    spec: Spec | None = None

    def __post_init__(self) -> None:
        self.ledger = self.ledger or MemoryLedger(now=self.clock)

    def outbox(self, given: Routes) -> Outbox:
        return Outbox(self.ledger, given, {"sales": self.spec}, self.settings)

    def end(self, run: str, outcome: str, *reasons: str, version: str = "") -> None:
        """Write down what came of a retraining, a minute later."""
        self.clock.pass_by(minutes=1)
        facts = {"outcome": outcome, "version": version, "reasons": reasons}
        entry = self.ledger.append("sales", run, Outcome.model_validate(facts))
        note_outcome(self.ledger, "sales", entry)

    def check(self, name: str, verdict: str, *reasons: str) -> None:
        """Write down a drift check, as `drift` and `decide` do."""
        check = drift_check(verdict=verdict, reasons=list(reasons))
        note_check(self.ledger, "sales", self.ledger.append("sales", name, check))

    def crown(self, version: str) -> None:
        self.clock.pass_by(minutes=1)
        self.ledger.append("sales", f"run-{version}", crown(version))
