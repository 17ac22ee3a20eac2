"""What the pages are made of.

The specs, the ledger and the store, opened when the first page is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Depends

from pipelines.approvals import Mark, Marks, marks_of
from pipelines.errors import Corrupted
from pipelines.fleet import fleet, turns_of
from pipelines.incidents import open_incidents
from pipelines.ledger import DriftCheck, Kind, PageRemoval, champion_of, find_removal
from pipelines.ports import ConfiguredPorts
from pipelines.run_names import versions_of
from pipelines.science.policy import OPEN_FOR
from pipelines.settings import Settings, load_settings
from pipelines.spec import model_names
from pipelines.spec.cached import SpecCache
from pipelines.store.pages import NEWEST, find_page, has_page
from pipelines.watch.retrain_requests import find_open_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.errors import SpecError
    from pipelines.fleet import ModelState
    from pipelines.incidents import Incident
    from pipelines.ledger import Champion, Entry, Ledger
    from pipelines.ports import Ports
    from pipelines.spec import Spec
    from pipelines.store.pages import PageKind

HISTORY = 300
"""The newest decisions about a model that its page shows."""

_SHOWN: tuple[Kind, ...] = (
    "champion",
    "verdict",
    "drift",
    "incident",
    "approval",
    "override",
)
"""Kinds of entries of which a model's newest one says what its card shows, or whether to look."""

CHECKS = 12
"""The newest drift checks that it shows as a table."""


@dataclass(frozen=True)
class State:
    """What is known of one model; `problem` says what is wrong with its spec."""

    name: str
    spec: Spec | None
    problem: str
    champion: Champion | None
    verdict: Entry | None
    drift: Entry | None
    request: Entry | None
    """The request for a retraining of which nothing has come yet."""
    incidents: list[Incident]
    """What is wrong with it, and not over."""
    marks: Marks
    """What people said of its versions."""


class Removal(NamedTuple):
    """When Evidently's page of a look was removed, and how many days such pages were kept."""

    at: datetime
    days: int


@dataclass(frozen=True)
class Records:
    """Reads what is shown; `now` is the clock. Every method may raise one of pipelines.errors."""

    settings: Settings
    ports: Ports | ConfiguredPorts
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    _specs: SpecCache = field(default_factory=SpecCache)

    def specs(
        self, seconds: dict[str, float] | None = None
    ) -> tuple[dict[str, Spec], dict[str, SpecError]]:
        """Return the good specs and what is wrong with the others, by model.

        `seconds` gets how long each folder took to read.
        """
        return self._specs.load_all(self.settings.models, seconds)

    def fleet(self, good: Mapping[str, Spec], errors: Mapping[str, SpecError]) -> list[ModelState]:
        """Return how these models stand, the worst first."""
        ledger, now = self.ports.ledger, self.now()
        # All models stand in one line, also those that the reader may not see
        turns = turns_of(ledger, model_names(self.settings.models), self.settings, now)
        return fleet(ledger, good, errors, now, turns)

    def states(
        self, names: Sequence[str], good: Mapping[str, Spec], errors: Mapping[str, SpecError]
    ) -> list[State]:
        """Return what is known of some models, by a few questions however many there are."""
        ledger, now = self.ports.ledger, self.now()
        newest = {(e.model, e.kind): e for e in ledger.newest(names, _SHOWN)}
        asked = {e.model for e in ledger.since(names, ["retrain_request"], now - OPEN_FOR)}
        return [
            State(
                name=name,
                spec=good.get(name),
                problem=str(errors[name]) if name in errors else "",
                champion=champion_of(newest.get((name, "champion"))),
                verdict=newest.get((name, "verdict")),
                drift=newest.get((name, "drift")),
                request=find_open_request(ledger, name, now) if name in asked else None,
                incidents=open_incidents(ledger, name, now) if (name, "incident") in newest else [],
                marks=marks_of(ledger, name)
                if (name, "approval") in newest or (name, "override") in newest
                else Marks({}),
            )
            for name in names
        ]

    def state(self, name: str, spec: Spec | None, problem: SpecError | None = None) -> State:
        """Return what is known of a model."""
        ledger = self.ports.ledger
        return State(
            name=name,
            spec=spec,
            problem=str(problem) if problem else "",
            champion=ledger.champion(name),
            verdict=_newest(ledger, name, "verdict"),
            drift=_newest(ledger, name, "drift"),
            request=find_open_request(ledger, name, self.now()),
            incidents=open_incidents(ledger, name, self.now()),
            marks=marks_of(ledger, name),
        )

    def history(self, name: str) -> list[Entry]:
        """Return the newest decisions about a model, newest first."""
        return self.ports.ledger.entries(name, limit=HISTORY)[::-1]

    def checks(self, name: str) -> list[Entry]:
        """Return the newest drift checks of a model that can be read here, newest first."""
        newest = self.ports.ledger.entries(name, "drift", limit=CHECKS)[::-1]
        return [entry for entry in newest if isinstance(entry.decision, DriftCheck)]

    def marks_of_page(self, model: str, kind: PageKind, run: str) -> list[tuple[str, Mark]]:
        """Return what people said of the versions that a page is about, by version."""
        ledger, marks = self.ports.ledger, marks_of(self.ports.ledger, model)
        if kind == "versions":
            versions = versions_of(run)
        elif kind in {"verdict", "comparison", "card"}:
            verdict = ledger.find(model, "verdict", run)
            versions = (str(verdict.body.get("version")),) if verdict else ()
        else:
            return []
        return [(version, mark) for version in versions if (mark := marks.of(version))]

    def has_profile(self, model: str) -> bool:
        """Tell whether there is a page that shows the model's data."""
        return self.has_page(model, "profile", NEWEST)

    def has_page(self, model: str, kind: PageKind, run: str) -> bool:
        """Tell whether a run has a page of a kind."""
        return has_page(self.ports.store, model=model, kind=kind, run=run)

    def why_no_card(self, model: str, run: str) -> str:
        """Return why a run has no card, and how to get one."""
        entry = self.ports.ledger.find(model, "verdict", run)
        version = str(entry.body.get("version") or "") if entry else ""
        if not version:
            return f"The run {run} of {model} registered no version, so there is no card."
        return (
            f"Version {version} of {model} has no card here: an earlier Perennial wrote none,"
            " or it could not be written, which the log of the task gate says."
            f" `perennial card {model} {version}` writes one from the records."
        )

    def page(self, model: str, kind: PageKind, run: str) -> bytes | None:
        """Return a run's page; None where it has none, or has it no more (see `removal`)."""
        try:
            return find_page(self.ports.store, model=model, kind=kind, run=run)
        except Corrupted:
            # A removal that was killed on its way
            if kind == "evidently" and self.removal(model, run) is not None:
                return None
            raise

    def has_look(self, model: str, run: str) -> bool:
        """Tell whether the ledger has a look of this run, which can be read here."""
        entry = self.ports.ledger.find(model, "drift", run)
        return entry is not None and isinstance(entry.decision, DriftCheck)

    def removal(self, model: str, run: str) -> Removal | None:
        """Return when and why Evidently's page of a look was removed; None where it was not."""
        entry = find_removal(self.ports.ledger, model, run)
        return None if entry is None else Removal(entry.at, entry.read(PageRemoval).days)


@cache
def records() -> Records:
    """Return the records that the environment's settings name."""
    settings = load_settings()
    return Records(settings, ConfiguredPorts(settings))


TheRecords = Annotated[Records, Depends(records)]


def _newest(ledger: Ledger, model: str, kind: Kind) -> Entry | None:
    return next(iter(ledger.entries(model, kind, limit=1)), None)
