"""Deploy a bundle that the gate promoted.

It proves itself where it shall serve, then its version is the champion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import approvals, run_ending
from pipelines.context import Context
from pipelines.deployment import orders
from pipelines.errors import RequestError
from pipelines.messages import DeployRequest, DeployResult

if TYPE_CHECKING:
    from pipelines.deployment.targets import Target


def run(context: Context, request: DeployRequest, target: Target | None = None) -> DeployResult:
    """Return what serves now, once per run (see `deployment.carry_out` for what it raises)."""
    if request.gate.verdict != "promote" or request.gate.version != request.package.version:
        raise RequestError(
            f"Version {request.package.version} of {context.spec.name} was not promoted: the"
            f" verdict on {request.gate.version or '-'} is {request.gate.verdict}."
        )
    approvals.expect(context, request.run, request.package.version)
    order = orders.Order(
        run=request.run,
        version=request.package.version,
        bundle=request.package.bundle,
        expected=request.gate.champion,
        reason=f"promoted by {request.run}",
    )
    result = orders.carry_out(context, order, target)
    tags = {"release": str(result.release), "served_version": result.version}
    context.ports.registry.log(request.gate.run_id, params={}, metrics={}, tags=tags)
    run_ending.amend(context, request.run, request.gate, result)
    return result
