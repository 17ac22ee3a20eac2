"""Go back to a release that served before, or have a version serve by hand.

What did not pass the gate never serves.

Nothing of the past is changed: the older bundle is released anew, under the next number, and proves
itself like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.context import Context
from pipelines.deployment import orders
from pipelines.errors import RequestError
from pipelines.ledger import Crown, GateVerdict, Reconciliation, ReleaseIntent
from pipelines.messages import DeployResult, RollbackRequest
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import Ref, Value
from pipelines.run_names import rollback_run
from pipelines.trigger_conf import RollbackConf

if TYPE_CHECKING:
    from pipelines.deployment.targets import Target


class _PastRelease(Value):
    """A release that served: its number, version and bundle."""

    number: int
    version: str
    bundle: Ref


def run(context: Context, request: RollbackRequest, target: Target | None = None) -> DeployResult:
    """Return what serves now, once per run.

    Raises RequestError where there is nothing to go back to.
    """
    try:
        conf = RollbackConf.model_validate(request.conf)
    except ValidationError as error:
        faults = in_one_line(problems(error, request.conf, RollbackConf))
        raise RequestError(
            f"The run's conf is wrong: {faults}", remedy="see docs/operate.md."
        ) from error
    key = rollback_run(request.run)
    past_release = _choice_of_first_try(context, key) or _find_release(context, conf.to)
    return _serve(
        context,
        key,
        past_release,
        f"rolled back to release {past_release.number}: {conf.reason}",
        target,
    )


def promote(
    context: Context, *, run: str, version: str, reason: str, target: Target | None = None
) -> DeployResult:
    """Have a version serve that was promoted and packaged before.

    Raises RequestError for any other.
    """
    entries = context.ports.ledger.entries(context.spec.name, "verdict")
    verdicts = [v for v in (e.read(GateVerdict) for e in entries) if v.version == version]
    if verdicts and verdicts[-1].verdict != "promote":
        raise RequestError(
            f"The gate refused version {version} of {context.spec.name}:"
            f" {'; '.join(verdicts[-1].reasons)}.",
            remedy=(
                "retrain, or change the gate in model.yaml; `perennial override` is for a person"
                " who answers for it by name."
            ),
        )
    entries = context.ports.ledger.entries(context.spec.name, "release")
    releases = [_release_of(entry.read(ReleaseIntent)) for entry in entries]
    candidates = [release for release in releases if release.version == version]
    if not candidates:
        raise RequestError(
            f"Version {version} of {context.spec.name} has no bundle that was ever released.",
            remedy=f"`perennial history {context.spec.name}` lists the releases.",
        )
    return _serve(context, run, candidates[-1], f"promoted by hand: {reason}", target)


def _serve(
    context: Context, run: str, past_release: _PastRelease, reason: str, target: Target | None
) -> DeployResult:
    ledger, name = context.ports.ledger, context.spec.name
    champion = ledger.champion(name)
    if (
        ledger.find(name, "champion", run) is None
        and champion is not None
        and champion.version == past_release.version
    ):
        raise RequestError(
            f"Version {past_release.version} of {name} serves already, as release"
            f" {champion.release}."
        )
    intent = ledger.find(name, "release", run)
    # A retry expects the champion that the first try saw: who came meanwhile was not meant.
    if intent is not None:
        expected = intent.read(ReleaseIntent).previous
    else:
        expected = champion.version if champion else None
    order = orders.Order(
        run=run,
        version=past_release.version,
        bundle=past_release.bundle,
        expected=expected,
        reason=reason,
    )
    return orders.carry_out(context, order, target)


def _choice_of_first_try(context: Context, run: str) -> _PastRelease | None:
    """Return what an earlier try of this run chose already.

    A retry must not choose anew after the champion has changed.
    """
    entry = context.ports.ledger.find(context.spec.name, "release", run)
    return _release_of(entry.read(ReleaseIntent)) if entry is not None else None


def _find_release(context: Context, number: int | None) -> _PastRelease:
    """Return the release that served under this number.

    Without one, what served before the champion was first promoted.
    """
    name, ledger = context.spec.name, context.ports.ledger
    champions = [_champion_of(entry.read(Crown)) for entry in ledger.entries(name, "champion")]
    if not champions:
        raise RequestError(
            f"No version of {name} has served yet: there is nothing to go back to.",
            remedy=f"trigger retrain_{name}.",
        )
    if number is None:
        first = next(i for i, c in enumerate(champions) if c.version == champions[-1].version)
        if first == 0:
            raise RequestError(
                f"Version {champions[-1].version} of {name} is the first that serves: there is"
                " nothing to go back to."
            )
        return champions[first - 1]
    intents = [e.read(Reconciliation).release for e in ledger.entries(name, "reconciled")]
    brought_back = [_release_of(intent) for intent in intents if intent is not None]
    by_number = {release.number: release for release in [*brought_back, *champions]}
    if number not in by_number:
        numbers = ", ".join(map(str, sorted(by_number)))
        raise RequestError(
            f"Release {number} of {name} never served.", remedy=f"these did: {numbers}."
        )
    return by_number[number]


def _champion_of(crown: Crown) -> _PastRelease:
    return _PastRelease(number=crown.release, version=crown.version, bundle=crown.bundle)


def _release_of(intent: ReleaseIntent) -> _PastRelease:
    return _PastRelease(number=intent.number, version=intent.version, bundle=intent.bundle)
