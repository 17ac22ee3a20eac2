"""Deploy a bundle that the gate promoted: it proves itself where it shall serve, then its version is the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.steps import deployment, ending
from pipelines.steps.context import Context
from pipelines.steps.values import Deployed, DeployRequest

if TYPE_CHECKING:
    from pipelines.steps.targets import Target

STEP = "deploy"
Request = DeployRequest


def run(context: Context, request: DeployRequest, target: Target | None = None) -> Deployed:
    """Return what serves now, once per run (see `deployment.carry_out` for what it raises)."""
    if request.gate.verdict != "promote" or request.gate.version != request.package.version:
        raise RequestError(
            f"Version {request.package.version} of {context.spec.name} was not promoted: the verdict on {request.gate.version or '-'} is "
            f"{request.gate.verdict}."
        )
    order = deployment.Order(
        run=request.run,
        version=request.package.version,
        bundle=request.package.bundle,
        expected=request.gate.champion,
        reason=f"promoted by {request.run}",
    )
    deployed = deployment.carry_out(context, order, target)
    tags = {"release": str(deployed.release), "served_version": deployed.version}
    context.ports.registry.log(request.gate.run_id, params={}, metrics={}, tags=tags)
    ending.amend(context, request.run, request.gate, deployed)
    return deployed
