"""What the log says of the rows that a candidate learns from and is judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.plurals import how_many
from pipelines.tasks import classifies

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.spec import Candidate
    from pipelines.training.preparation import Prepared


NAMED = 10
"""Classes that the log names at most."""


def log_rows(context: Context, candidate: Candidate, rows: Prepared, counted: str) -> None:
    """Log how many rows there are, and what is to be warned of."""
    from pipelines.training.float32 import merged_inputs
    from pipelines.training.preparation import unseen_classes

    spec, log = context.spec, context.log
    for warning in (unseen_classes(rows, spec), merged_inputs(rows.train, spec.inputs)):
        if warning:
            log.warning("%s", warning)
    if counted:
        log.info("%s", counted)
    log.info(
        "%s: %s to learn from, %d held out, %s",
        candidate.name,
        how_many(len(rows.y), "row"),
        len(rows.truth),
        how_many(len(rows.schema.columns), "input"),
    )
    if spec.is_snapshot and classifies(spec.task):
        log.info("%s: %s", candidate.name, _class_shares(rows.y, rows.truth, rows.classes))


def _class_shares(y: Any, truth: Any, classes: list[str] | None) -> str:
    """Return in words how the classes are shared out, which chance decides on a snapshot."""
    names = (classes or ["0", "1"])[:NAMED]
    shares = [
        f"{name} {(y == i).mean():.1%} and {(truth == i).mean():.1%}"
        for i, name in enumerate(names)
    ]
    return "shares among the rows to learn from and the held-out ones: " + ", ".join(shares)
