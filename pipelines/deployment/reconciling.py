"""Make what serves and the registry's alias follow the ledger's champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import PerennialError, TryAgain
from pipelines.ledger import Reconciliation

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.deployment.targets import Target
    from pipelines.ledger import Champion


def reconcile(context: Context, target: Target, *, under_way: str = "") -> list[str]:
    """Reconcile while nobody else deploys; return in words what had to be done.

    A release of the run `under_way` is left alone: its deployment goes on. Before the first
    champion there is nothing to go back to, and nothing is changed.
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


def bring_back(context: Context, target: Target) -> None:
    """Reconcile after a failure.

    What goes wrong here is logged only: the failure itself is what must be told.
    """
    try:
        reconcile(context, target)
    except PerennialError as error:
        context.log.error(  # noqa: TRY400
            "%s could not be reconciled; `perennial reconcile` does it again: %s",
            context.spec.name,
            error,
        )


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
