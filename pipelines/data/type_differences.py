"""What a look at the other batches of a plan tells of a batch.

Which of its columns they hold in another type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.data.plan_types import plan_types
from pipelines.validation.results import ExpectationResult

if TYPE_CHECKING:
    from pipelines.data.manifests import Plan
    from pipelines.spec import Spec
    from pipelines.store.port import Store


def type_findings(store: Store, spec: Spec, plan: Plan) -> dict[str, list[ExpectationResult]]:
    """Return findings by the name of their batch.

    A warning for what is widened, critical what would lose values by it.

    They are no part of a batch's own findings, which are kept by its content: another plan has
    other batches beside it.
    """
    findings: dict[str, list[ExpectationResult]] = {}
    for odd in plan_types(store, spec, plan).odd:
        findings.setdefault(odd.batch, []).append(
            ExpectationResult(
                table=odd.table,
                expectation=f"{odd.column}: one type in all batches",
                severity="warning" if odd.fits else "critical",
                success=False,
                observed=odd.why,
                bad=0,
                rows=[],
            )
        )
    return findings
