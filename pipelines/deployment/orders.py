"""How a bundle comes to serve, whoever wants it.

Promoted by the gate, rolled back to, or promoted by hand.

The order is: intent into the ledger, release into the store, the target's proof, the crown
(compare-and-set), the alias. Cut off anywhere, a retry of this run goes on where it stopped, and
the next run or `reconcile` takes back what nobody finished.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.bundle.load import golden_differences, open_bundle, read_manifest
from pipelines.deployment import releases
from pipelines.deployment.targets import target_for
from pipelines.errors import Conflict, GiveUp, PerennialError, Refused, TryAgain
from pipelines.ledger import Crown, Reconciliation, ReleaseRefusal
from pipelines.messages import DeployResult
from pipelines.refs import Ref, Value
from pipelines.signing.signatures import verify_where_required

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.context import Context
    from pipelines.deployment.targets import Target
    from pipelines.ledger import Champion, Entry

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


def carry_out(context: Context, order: Order, target: Target | None = None) -> DeployResult:
    """Return what serves now, once per run.

    Raises Refused with the difference when the bundle does not answer as packaged or the target
    will not take it (the old release is back then), Untrusted where a signature is required and
    none counts, Conflict when somebody else became champion meanwhile, Unreachable while the target
    is away.
    """
    to = target or target_for(context)
    with to.alone(context):
        entry = context.ports.ledger.find(context.spec.name, "champion", order.run)
        if entry is None:
            _reconcile(context, to, under_way=order.run)
            _refuse_again(context, order, to)
            _verify(context, order)
            _refuse_overtaken(context, order, to)
            release = releases.publish_release(
                context,
                kind="release",
                key=order.run,
                version=order.version,
                bundle=order.bundle,
                reason=order.reason,
                previous=order.expected,
            )
            entry = _crown(context, order, release, to, _have_serve(context, order, release, to))
        crown = entry.read(Crown)
        _point_alias(context, crown.version)
        _settle_champion(context, to)
        _reconcile(context, to)
    # The oldest entries do not say who served before.
    previous = crown.previous if "previous" in crown.model_fields_set else order.expected
    context.log.info(
        "%s: version %s serves as release %d (before: %s)",
        context.spec.name,
        crown.version,
        crown.release,
        previous or "nothing",
    )
    return DeployResult(release=crown.release, version=crown.version, previous=previous)


def reconcile(context: Context, target: Target | None = None) -> list[str]:
    """Make what serves and the registry's alias follow the ledger's champion.

    Return in words what had to be done.

    A deployment that is at work is waited for. Before the first champion there is nothing to go
    back to, and nothing is changed.
    """
    to = target or target_for(context)
    with to.alone(context):
        return _reconcile(context, to)


def _reconcile(context: Context, target: Target, *, under_way: str = "") -> list[str]:
    """Reconcile while nobody else deploys.

    A release of the run `under_way` is left alone: its deployment goes on.
    """
    champion = context.ports.ledger.champion(context.spec.name)
    if champion is None:
        return []
    changes = target.follow(context, champion, under_way=under_way)
    try:
        if context.ports.registry.alias(context.spec.name) != champion.version:
            changes.append(_repair_alias(context, champion))
    except TryAgain as error:  # what serves matters more, above all when something must go back
        context.log.warning(
            "the registry's alias could not be looked at; the next run does: %s", error
        )
    for words in changes:
        context.log.warning("reconciled: %s", words)
    return changes


def _bring_back(context: Context, target: Target) -> None:
    """Reconcile after a failure.

    What goes wrong here is logged only: the failure itself is what must be told.
    """
    try:
        _reconcile(context, target)
    except PerennialError as error:
        context.log.error(  # noqa: TRY400
            "%s could not be reconciled; `perennial reconcile` does it again: %s",
            context.spec.name,
            error,
        )


def _refuse_again(context: Context, order: Order, target: Target) -> None:
    """Raise what an earlier try of this run was told already.

    The champion is back by then (see `reconcile`).
    """
    entry = context.ports.ledger.find(context.spec.name, "release_refused", order.run)
    if entry is not None:
        _bring_back(context, target)
        raise Refused(entry.read(ReleaseRefusal).difference, remedy=_REMEDY)


def _verify(context: Context, order: Order) -> None:
    """Verify the bundle's signature, open it and let it answer its golden requests before anything
    is touched.
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


def _refuse_overtaken(context: Context, order: Order, target: Target) -> None:
    """Raise Conflict unless the champion still is the one that this order was made against."""
    champion = context.ports.ledger.champion(context.spec.name)
    if (champion.version if champion else None) != order.expected:
        _bring_back(context, target)
        raise Conflict(
            f"Version {order.version} was to replace {order.expected or 'nothing'}, but "
            f"{champion.version if champion else 'nothing'} is the champion now.",
            remedy=(
                "look at it (`perennial status`); a new run judges against the present champion."
            ),
        )


def _have_serve(context: Context, order: Order, release: Release, target: Target) -> dict[str, Any]:
    """Have the release serve.

    What cannot be mended by a retry is taken back, and the champion serves on.
    """
    try:
        return target.take(context, release)
    except Refused as refused:
        words = (
            f"The server refused release {release.number} of {release.model} ({release.version}):"
            f" {refused.message}"
        )
        refusal = ReleaseRefusal(
            number=release.number, version=release.version, difference=words[:2_000]
        )
        context.ports.ledger.append(release.model, order.run, refusal)
        _bring_back(context, target)
        raise Refused(words, remedy=refused.remedy or _REMEDY) from refused
    except GiveUp:
        _bring_back(context, target)
        raise


def _crown(
    context: Context, order: Order, release: Release, target: Target, facts: dict[str, Any]
) -> Entry:
    """Make the release's version the champion; `facts` are what the target says beside it."""
    environment = read_manifest(context.ports.store, release.bundle).environment
    champion = Crown(
        **facts,
        **({"environment": environment.sha256} if environment else {}),
        version=release.version,
        bundle=release.bundle,
        release=release.number,
        previous=order.expected,
    )
    try:
        return context.ports.ledger.crown(
            release.model, expected=order.expected, champion=champion, key=order.run
        )
    except Conflict:
        _bring_back(context, target)
        raise


def _settle_champion(context: Context, target: Target) -> None:
    champion = context.ports.ledger.champion(context.spec.name)
    if champion is not None:
        target.settle(context, champion)


def _point_alias(context: Context, version: str) -> None:
    """Let the alias follow the crown, unless this is a late retry and somebody else is champion by
    now.
    """
    champion = context.ports.ledger.champion(context.spec.name)
    if champion is not None and champion.version == version:
        context.ports.registry.point(context.spec.name, version)


def _repair_alias(context: Context, champion: Champion) -> str:
    """Let the registry's alias follow.

    It is pointed first and written down after: pointing again does no harm.
    """
    model, registry = context.spec.name, context.ports.registry
    before = registry.alias(model)
    registry.point(model, champion.version)
    words = f"the alias named {before or 'nothing'}, the champion is {champion.version}"
    key = f"alias~{before or '-'}~{champion.version}~{champion.release}"
    context.ports.ledger.append(model, key, Reconciliation(reason=words))
    return words
