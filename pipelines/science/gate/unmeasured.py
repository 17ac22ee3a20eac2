"""A check that a spec asks for, but that could not be computed: it refuses, and says why."""

from __future__ import annotations

from pipelines.messages import GateCheck


def refuse_unmeasured(
    name: str, failure: str, error: str, *, field: str, limit: float | None = None
) -> GateCheck:
    """Return the check, failed: `failure` says what could not be done, `error` why.

    `field` is what of the spec's gate asks for it.
    """
    return GateCheck(
        name=name,
        passed=False,
        detail=f"{failure}: {error or 'nothing was measured'}",
        limit=limit,
        would_pass=f"mend that, or take gate.{field} out",
    )
