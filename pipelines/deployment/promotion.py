"""A promotion as a state machine: which states it has, and what leads from one to the next.

```
asked ─▶ cleared ─▶ proven ─▶ entered ─▶ published ─▶ serving ─▶ crowned ─▶ named ─▶ settled
  │         │         ▲          │           │           │          ▲
  │         │         └──────────┘           │           │          │
  │         │     the number was taken       │           │          │
  └─────────┼────────────────────────────────┼───────────┼──────────┘
       crowned by an earlier try             │           │
            └────────────────▶ given up ◀────┴───────────┘
```

Nothing of it lives in memory only: who begins again, begins at `asked` and reads from ledger and
store how far it had come. So each step may be cut off before, between and behind its effects.
A step that raises leaves the state as it was; a retry does it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.bundle.load import golden_differences, open_bundle, read_manifest
from pipelines.deployment import releases
from pipelines.deployment.reconciling import bring_back, reconcile
from pipelines.errors import Conflict, GiveUp, Refused
from pipelines.ledger import Crown, ReleaseRefusal
from pipelines.refs import Ref, Value
from pipelines.signing.signatures import verify_where_required

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.bundle.manifest import Release
    from pipelines.context import Context
    from pipelines.deployment.targets import Target

_REMEDY = "the release before it serves on; look at the bundle, then retrain."


class Order(Value):
    """What shall serve, once per run, if the champion still is the version `expected` (None: there
    is none yet).
    """

    run: str
    version: str
    bundle: Ref
    expected: str | None
    reason: str


class State(StrEnum):
    """How far a promotion has come."""

    ASKED = "asked"
    """It begins, or begins again."""
    CLEARED = "cleared"
    """What others left unfinished is put right."""
    PROVEN = "proven"
    """The bundle answers as packaged, and the expected version still is the champion."""
    ENTERED = "entered"
    """Its release stands in the ledger, under a number."""
    PUBLISHED = "published"
    """Its release is the store's highest."""
    SERVING = "serving"
    """The target answers by it."""
    CROWNED = "crowned"
    """The ledger names it champion: from here on it has won."""
    NAMED = "named"
    """The registry's alias follows."""
    SETTLED = "settled"
    """What it replaced is at rest, and ledger, store, target and alias agree."""
    GIVEN_UP = "given up"
    """It cannot win any more; what the champion is must serve again."""


@dataclass(frozen=True)
class Progress:
    """A promotion on its way: its state, and what its steps hand on to each other.

    `attempt` counts the numbers that were tried; `facts` are what the target records with the
    crown; `error` is why it was given up.
    """

    state: State = State.ASKED
    attempt: int = 1
    release: Release | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    crown: Crown | None = None
    error: GiveUp | None = None

    def to(self, state: State, **facts: Any) -> Progress:
        """Return this progress in another state."""
        return replace(self, state=state, **facts)

    def own_release(self) -> Release:
        """Return its release, which it has from `entered` on."""
        if self.release is None:
            raise RuntimeError(f"A promotion that is {self.state} has no release.")
        return self.release


class Step(NamedTuple):
    """What is done in a state, and the states to which that may lead."""

    act: Callable[[Context, Order, Target, Progress], Progress]
    leads_to: frozenset[State]


def advance(context: Context, order: Order, target: Target, progress: Progress) -> Progress:
    """Do the one step that is due; return what came of it.

    Raises the error by which a promotion is given up, and what the ports raise.
    """
    step = STEPS[progress.state]
    after = step.act(context, order, target, progress)
    if after.state not in step.leads_to:
        raise RuntimeError(f"A promotion went from {progress.state} to {after.state}.")
    return after


def _clear(context: Context, order: Order, target: Target, progress: Progress) -> Progress:
    """Find what an earlier try of this run came to; else put right what others left."""
    entry = context.ports.ledger.find(context.spec.name, "champion", order.run)
    if entry is not None:
        return progress.to(State.CROWNED, crown=entry.read(Crown))
    reconcile(context, target, under_way=order.run)
    return progress.to(State.CLEARED)


def _prove(context: Context, order: Order, _target: Target, progress: Progress) -> Progress:
    """Refuse what was refused before or was overtaken; have the bundle prove itself."""
    ledger, model = context.ports.ledger, context.spec.name
    entry = ledger.find(model, "release_refused", order.run)
    if entry is not None:
        refused = Refused(entry.read(ReleaseRefusal).difference, remedy=_REMEDY)
        return progress.to(State.GIVEN_UP, error=refused)
    prove_bundle(context, order)
    champion = ledger.champion(model)
    if (champion.version if champion else None) != order.expected:
        overtaken = Conflict(
            f"Version {order.version} was to replace {order.expected or 'nothing'}, but "
            f"{champion.version if champion else 'nothing'} is the champion now.",
            remedy=(
                "look at it (`perennial status`); a new run judges against the present champion."
            ),
        )
        return progress.to(State.GIVEN_UP, error=overtaken)
    return progress.to(State.PROVEN)


def prove_bundle(context: Context, order: Order) -> None:
    """Verify the bundle's signature, open it and let it answer its golden requests.

    Nothing is touched by it. Raises Untrusted, Corrupted, or Refused with the difference.
    """
    verify_where_required(
        context.settings,
        [context.ports.store],
        context.spec.name,
        order.version,
        order.bundle,
        datetime.now(UTC),
    )
    bundle = open_bundle(context.ports.store, order.bundle, context.settings)
    manifest = bundle.manifest
    if (manifest.model, manifest.version) != (context.spec.name, order.version):
        raise Refused(
            f"The bundle is of {manifest.model} {manifest.version}, not of {context.spec.name}"
            f" {order.version}.",
            remedy=_REMEDY,
        )
    differences = golden_differences(bundle)
    if differences:
        raise Refused(
            f"The bundle of {manifest.model} {manifest.version} does not answer as packaged:"
            f" {differences[0]}.",
            remedy=_REMEDY,
        )


def _release_of(order: Order) -> releases.Wanted:
    return releases.Wanted(
        kind="release",
        key=order.run,
        version=order.version,
        bundle=order.bundle,
        reason=order.reason,
        previous=order.expected,
    )


def _enter(context: Context, order: Order, _target: Target, progress: Progress) -> Progress:
    """Write the intent into the ledger, or find the one of an earlier try."""
    release = releases.enter_release(context, _release_of(order), progress.attempt)
    return progress.to(State.ENTERED, release=release)


def _publish(context: Context, order: Order, _target: Target, progress: Progress) -> Progress:
    """Publish the release; where its number was taken or overtaken, the next one is tried."""
    if releases.publish_entered(context, _release_of(order), progress.own_release()):
        return progress.to(State.PUBLISHED)
    return progress.to(State.PROVEN, attempt=progress.attempt + 1, release=None)


def _take(context: Context, order: Order, target: Target, progress: Progress) -> Progress:
    """Have the release serve; what cannot be mended by a retry is given up."""
    release = progress.own_release()
    try:
        return progress.to(State.SERVING, facts=target.take(context, release))
    except Refused as refused:
        words = (
            f"The server refused release {release.number} of {release.model} ({release.version}):"
            f" {refused.message}"
        )
        refusal = ReleaseRefusal(
            number=release.number, version=release.version, difference=words[:2_000]
        )
        context.ports.ledger.append(release.model, order.run, refusal)
        error: GiveUp = Refused(words, remedy=refused.remedy or _REMEDY)
        error.__cause__ = refused
    except GiveUp as gave_up:
        error = gave_up
    return progress.to(State.GIVEN_UP, error=error)


def _crown(context: Context, order: Order, _target: Target, progress: Progress) -> Progress:
    """Make the release's version the champion, if the expected one still is."""
    release = progress.own_release()
    environment = read_manifest(context.ports.store, release.bundle).environment
    champion = Crown(
        **progress.facts,
        **({"environment": environment.sha256} if environment else {}),
        version=release.version,
        bundle=release.bundle,
        release=release.number,
        previous=order.expected,
    )
    try:
        entry = context.ports.ledger.crown(
            release.model, expected=order.expected, champion=champion, key=order.run
        )
    except Conflict as error:
        return progress.to(State.GIVEN_UP, error=error)
    return progress.to(State.CROWNED, crown=entry.read(Crown))


def _name(context: Context, _order: Order, _target: Target, progress: Progress) -> Progress:
    """Let the alias follow the crown, unless this is a late retry and somebody else is champion by
    now.
    """
    champion = context.ports.ledger.champion(context.spec.name)
    if champion is not None and progress.crown and champion.version == progress.crown.version:
        context.ports.registry.point(context.spec.name, champion.version)
    return progress.to(State.NAMED)


def _settle(context: Context, _order: Order, target: Target, progress: Progress) -> Progress:
    """Put to rest what was replaced, and see that all agree."""
    champion = context.ports.ledger.champion(context.spec.name)
    if champion is not None:
        target.settle(context, champion)
    reconcile(context, target)
    return progress.to(State.SETTLED)


def _give_up(context: Context, _order: Order, target: Target, progress: Progress) -> Progress:
    """Have the champion serve again, then raise why."""
    bring_back(context, target)
    if progress.error is None:
        raise RuntimeError("A promotion was given up for no reason.")
    raise progress.error


def _step(act: Callable[[Context, Order, Target, Progress], Progress], *leads_to: State) -> Step:
    return Step(act, frozenset(leads_to))


STEPS = {
    State.ASKED: _step(_clear, State.CLEARED, State.CROWNED),
    State.CLEARED: _step(_prove, State.PROVEN, State.GIVEN_UP),
    State.PROVEN: _step(_enter, State.ENTERED),
    State.ENTERED: _step(_publish, State.PUBLISHED, State.PROVEN),
    State.PUBLISHED: _step(_take, State.SERVING, State.GIVEN_UP),
    State.SERVING: _step(_crown, State.CROWNED, State.GIVEN_UP),
    State.CROWNED: _step(_name, State.NAMED),
    State.NAMED: _step(_settle, State.SETTLED),
    State.GIVEN_UP: _step(_give_up),
}
"""Every state but the last, with what is done in it and where that leads."""
