"""How each model of a fleet stands: who is broken, red, late or drifting, and what it costs.

All of it is read from specs and ledger, by a few questions however many models there are.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from pipelines.incidents.state import open_incidents
from pipelines.intervals import Moment, iso
from pipelines.ledger import DriftCheck, Ingest, Outcome, champion_of
from pipelines.plurals import how_many, ordinal
from pipelines.refs import Value
from pipelines.spec.schedules import grace_of, next_due
from pipelines.turns.limits import limits_of
from pipelines.turns.line import read_line
from pipelines.turns.rules import give_turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pipelines.errors import SpecError
    from pipelines.ledger import Entry, Ledger
    from pipelines.settings import Settings
    from pipelines.spec import Spec

State = Literal["broken", "red", "late", "drifting", "new", "fine"]
STATES: tuple[State, ...] = get_args(State)
"""The worst first. Of two that apply, a model has the worse one."""
Sort = Literal["state", "model", "owner", "cost"]
TurnState = Literal["waits", "under way"]
COST_DAYS = 30
"""Days over which retrainings are added up."""


class ModelState(Value):
    """How one model stands; `why` says it in words.

    `run_seconds` is how long its retrainings of the last COST_DAYS took, from the first batches
    they read to what came of them, by the ledger's clock: waiting included. None of them is known
    by a ledger of an earlier version.
    """

    model: str
    state: State
    why: str
    owner: str
    tags: list[str]
    task: str
    champion: str | None
    since: Moment | None
    checked: Moment | None
    retrainings: int
    run_seconds: float
    turn: TurnState | None = None
    """Whether a retraining of it is under way, or waits for its turn; None where no limits are set.
    """
    turn_since: Moment | None = None
    place_in_line: int | None = None
    """Of one that waits: 1 is the next."""
    waits_because: str = ""


def fleet(
    ledger: Ledger,
    good: Mapping[str, Spec],
    broken: Mapping[str, SpecError],
    now: datetime,
    turns: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[ModelState]:
    """Return how each model stands at a moment (aware), the worst first, then by name.

    `turns` is what `turns_of` says of all models, where limits are set.
    """
    names = sorted({*good, *broken})
    newest = {(e.model, e.kind): e for e in ledger.newest(names, ["champion", "drift", "incident"])}
    costs = _costs(ledger.since(names, ["ingest", "outcome"], now - timedelta(days=COST_DAYS)))
    found = []
    for name in names:
        spec, champion = good.get(name), champion_of(newest.get((name, "champion")))
        check = newest.get((name, "drift"))
        state, why = _state(ledger, name, spec, broken.get(name), newest, now)
        count, seconds = costs.get(name, (0, 0.0))
        found.append(
            ModelState(
                model=name,
                state=state,
                why=why,
                owner=spec.owner if spec else "",
                tags=list(spec.tags) if spec else [],
                task=spec.task if spec else "",
                champion=champion.version if champion else None,
                since=champion.since if champion else None,
                checked=check.at if check else None,
                retrainings=count,
                run_seconds=round(seconds, 1),
                **(turns or {}).get(name, {}),
            )
        )
    return sorted(found, key=lambda s: (STATES.index(s.state), s.model))


def choose(
    states: Iterable[ModelState],
    *,
    words: str = "",
    owner: str = "",
    tag: str = "",
    state: str = "",
) -> list[ModelState]:
    """Return those that are asked for; what is empty chooses nothing out.

    `words` must stand in the name, the owner or a tag.
    """
    looked_for = words.casefold().split()
    return [
        s
        for s in states
        if owner in ("", s.owner)
        and (not tag or tag in s.tags)
        and state in ("", s.state)
        and all(word in " ".join([s.model, s.owner, *s.tags]).casefold() for word in looked_for)
    ]


def sort_states(states: Sequence[ModelState], sort: Sort) -> list[ModelState]:
    """Return them in this order: the worst, the dearest, or by name first."""
    keys: dict[Sort, Any] = {
        "state": lambda s: (STATES.index(s.state), s.model),
        "model": lambda s: s.model,
        "owner": lambda s: (s.owner, s.model),
        "cost": lambda s: (-s.run_seconds, s.model),
    }
    return sorted(states, key=keys[sort])


def say_turn(s: ModelState) -> str:
    """Return how a model's retraining stands, in words; empty where none waits or is under way."""
    if s.turn is None or s.turn_since is None:
        return ""
    since = f"since {s.turn_since:%Y-%m-%d %H:%M} UTC"
    if s.turn == "under way":
        return f"under way {since}"
    place = f"{ordinal(s.place_in_line)} in line, " if s.place_in_line else ""
    return f"waits {since}, {place}{s.waits_because}".rstrip(", ")


def turns_of(
    ledger: Ledger, names: Sequence[str], settings: Settings, now: datetime
) -> dict[str, dict[str, Any]]:
    """Return of each model with a retraining in line or under way how that stands.

    `names` are all models: they share one line. Nothing where no limits are set.
    """
    if not settings.has_line:
        return {}
    line, limits = read_line(ledger, names, now), limits_of(settings)
    turns = give_turns(line, limits, now)
    found: dict[str, dict[str, Any]] = {}
    for begins in turns.begin:
        found[begins.model] = {"turn": "waits", "turn_since": begins.asked}
    for waits, why in turns.declined:
        found[waits.model] = {"turn": "waits", "turn_since": waits.asked, "waits_because": why}
    for place, (waits, why) in enumerate(turns.waiting, start=1):
        found[waits.model] = {
            "turn": "waits",
            "turn_since": waits.asked,
            "place_in_line": place,
            "waits_because": why,
        }
    for works in line.under_way:
        found[works.model] = {"turn": "under way", "turn_since": works.since}
    return found


def say_cost(s: ModelState) -> str:
    """Return what a model's retrainings took, in words; empty where there were none."""
    if not s.retrainings:
        return ""
    minutes, seconds = divmod(round(s.run_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    took = f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
    return f"{took} ({how_many(s.retrainings, 'retraining')})"


def _state(
    ledger: Ledger,
    name: str,
    spec: Spec | None,
    problem: SpecError | None,
    newest: Mapping[tuple[str, str], Entry],
    now: datetime,
) -> tuple[State, str]:
    if spec is None:
        return "broken", str(problem).splitlines()[0] if problem else ""
    # A model without an entry of an incident has none: the others are few
    incidents = open_incidents(ledger, name, now) if (name, "incident") in newest else []
    if incidents:
        more = f", and {len(incidents) - 1} more" if len(incidents) > 1 else ""
        return "red", f"{incidents[-1].cause}{more}"
    check, crowned = newest.get((name, "drift")), newest.get((name, "champion"))
    since = check.at if check else crowned.at if crowned else None
    if since is not None and (due := _late(spec, since, now)) is not None:
        return "late", f"the check that was due at {iso(due)} has not run"
    decision = check.decision if check else None
    if isinstance(decision, DriftCheck) and decision.verdict == "drift":
        return "drifting", "; ".join(decision.reasons[:2])
    if crowned is None:
        return "new", "nothing serves yet"
    return "fine", ""


def _late(spec: Spec, since: datetime, now: datetime) -> datetime | None:
    """Return when the check was due that is late; None where none is."""
    if spec.drift is None:
        return None
    due = next_due(spec.drift.schedule, since)
    return due if now > due + grace_of(spec.drift.schedule, due) else None


def _costs(entries: Sequence[Entry]) -> dict[str, tuple[int, float]]:
    """Return of each model how many retrainings have ended, and the seconds that they took."""
    begun: dict[tuple[str, str], datetime] = {}
    ended: dict[tuple[str, str], datetime] = {}
    for entry in entries:
        decision = entry.decision
        if isinstance(decision, Ingest) and decision.purpose == "retrain":
            begun.setdefault((entry.model, decision.run), entry.at)
        elif isinstance(decision, Outcome):
            ended[entry.model, entry.run] = entry.at
    found: dict[str, tuple[int, float]] = {}
    for (model, run), end in ended.items():
        count, seconds = found.get(model, (0, 0.0))
        took = (end - begun.get((model, run), end)).total_seconds()
        found[model] = (count + 1, seconds + max(took, 0.0))
    return found
