"""Have a refused version serve all the same, for a person who answers for it by name.

Only the verdict is overruled. The bundle is made and deployed as that of any other version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, StringConstraints, ValidationError

from pipelines import approvals
from pipelines.cards.publish import publish_card
from pipelines.deployment import orders
from pipelines.errors import Corrupted, RequestError
from pipelines.ledger import GateVerdict, Override
from pipelines.messages import GateResult, JudgedInputs, PackageRequest
from pipelines.plain_errors import in_one_line, problems
from pipelines.refs import Value
from pipelines.steps import package

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.deployment.targets import Target
    from pipelines.messages import DeployResult


def _one_plain_line(text: str) -> str:
    if not text.isprintable():
        msg = "write one line, without characters that do not show"
        raise ValueError(msg)
    return text


def _line(longest: int) -> object:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


class OverrideOrder(Value):
    """Who wants which refused version to serve, and why."""

    run: str
    version: Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,9}$")]
    by: Annotated[str, _line(100), AfterValidator(_one_plain_line)]
    reason: Annotated[str, _line(500), AfterValidator(_one_plain_line)]

    @classmethod
    def read(cls, **fields: str) -> OverrideOrder:
        """Return the order that these texts make. Raises RequestError naming what is wrong."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            faults = in_one_line(problems(error, fields, cls))
            raise RequestError(
                f"The override is wrong: {faults}",
                remedy="name a version by its number, a person (--by) and a reason (--reason).",
            ) from error


def carry_out(
    context: Context,
    order: OverrideOrder,
    *,
    accept_newer: bool = False,
    target: Target | None = None,
) -> DeployResult:
    """Return what serves now.

    Raises RequestError where the version is not known, was not refused, serves already, or was
    judged against another champion than serves now (unless `accept_newer`); what `package` and
    `deployment.orders` raise where a proof fails: then what served before serves on.
    """
    name, ports = context.spec.name, context.ports
    run, verdict = _find_verdict(context, order.version)
    reasons = _refusal(context, run, verdict)
    serving = _expect_same_champion(context, order, verdict, accept_newer=accept_newer)
    inputs = _inputs(context, verdict)
    mark = Override(
        version=order.version, by=order.by, reason=order.reason, refused_by=run, reasons=reasons
    )
    ports.ledger.append(name, order.run, mark)
    promoted = verdict.part(GateResult).model_copy(
        update={"verdict": "promote", "reasons": [], "champion": serving}
    )
    request = PackageRequest(run=run, features=inputs.features, train=inputs.train, gate=promoted)
    packaged = package.run(context, request)
    deployment = orders.Order(
        run=order.run,
        version=order.version,
        bundle=packaged.bundle,
        expected=serving,
        reason=f"override by {order.by}, although it was refused: {order.reason}",
    )
    result = orders.carry_out(context, deployment, target)
    tags = {
        "overridden_by": order.by,
        "override_reason": order.reason,
        "release": str(result.release),
        "served_version": result.version,
    }
    ports.registry.log(verdict.run_id, params={}, metrics={}, tags=tags)
    publish_card(context, order.version)
    return result


def _expect_same_champion(
    context: Context, order: OverrideOrder, verdict: GateVerdict, *, accept_newer: bool
) -> str | None:
    """Return the version that serves; None where none does.

    Raises RequestError where it is the order's own, or not the one that the verdict was against.
    """
    name = context.spec.name
    champion = context.ports.ledger.champion(name)
    serving = champion.version if champion else None
    if serving == order.version:
        raise RequestError(f"Version {order.version} of {name} serves already.")
    if serving != verdict.champion and not accept_newer:
        raise RequestError(
            f"Version {order.version} of {name} was judged while"
            f" {_who(verdict.champion)} served; now {_who(serving)} does.",
            remedy="look at both (`perennial compare`), then say --yes, or retrain.",
        )
    return serving


def _find_verdict(context: Context, version: str) -> tuple[str, GateVerdict]:
    """Return the run that judged a version, and what it said."""
    for entry in reversed(context.ports.ledger.entries(context.spec.name, "verdict")):
        verdict = entry.read(GateVerdict)
        if verdict.version == version:
            return entry.run, verdict
    raise RequestError(
        f"No version {version} of {context.spec.name} was ever judged.",
        remedy=f"`perennial history {context.spec.name}` lists the verdicts.",
    )


def _refusal(context: Context, run: str, verdict: GateVerdict) -> list[str]:
    """Return why the version was refused, by the gate or by a person."""
    if verdict.verdict == "refuse":
        return verdict.reasons
    answer = approvals.find(context.ports.ledger, context.spec.name, run)
    if answer is None or answer.approved:
        raise RequestError(
            f"Version {verdict.version} of {context.spec.name} was not refused.",
            remedy="`perennial promote` has a promoted version serve again.",
        )
    return [answer.why]


def _inputs(context: Context, verdict: GateVerdict) -> JudgedInputs:
    """Return what the verdict stood on, from which the bundle is made."""
    name = context.spec.name
    if verdict.built_from is None:
        raise RequestError(
            f"Version {verdict.version} of {name} was judged by a Perennial that did not keep what"
            " an override needs.",
            remedy=f"trigger retrain_{name}; its verdict can be overridden.",
        )
    try:
        return JudgedInputs.model_validate_json(context.ports.store.get(verdict.built_from))
    except ValidationError as error:
        raise Corrupted(
            f"What the verdict on version {verdict.version} of {name} stood on cannot be read.",
            remedy=f"a newer Perennial wrote it (then use that one); or trigger retrain_{name}.",
        ) from error


def _who(version: str | None) -> str:
    return f"version {version}" if version else "nobody"
