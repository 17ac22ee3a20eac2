"""How much a challenger loses where one of its inputs is disturbed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.messages import CheckFindings, Finding, GateCheck
from pipelines.plurals import how_many
from pipelines.science.enough import write_enough
from pipelines.science.gate.unmeasured import refuse_unmeasured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.spec.gate import Gate
    from pipelines.spec.gate_checks import Disturbance

    Array = NDArray[Any]

NOISE = 0.1
"""Standard deviations of the noise."""
ROWS_HIT = 0.1
"""The share of the rows in which a value is missing, unseen, scaled or swapped."""
TIMES = 1_000.0
UNSEEN = "a text that no row has"
WORDS: dict[Disturbance, str] = {
    "noise": "with noise",
    "missing": "with missing values",
    "unseen": "with texts never seen",
    "scaled": "in another unit",
    "swapped": "swapped with its neighbour",
}


@dataclass(frozen=True)
class Loss:
    """By which share of its value the metric is worse where an input is disturbed.

    Infinite where the model answers no longer, and `why` says so.
    """

    kind: Disturbance
    column: str
    share: float
    why: str = ""


@dataclass(frozen=True)
class RobustnessFacts:
    """What was lost by each disturbance of each input; `error` says why nothing is known."""

    metric: str = ""
    rows: int = 0
    losses: tuple[Loss, ...] = ()
    error: str = ""


def disturb(
    kind: Disturbance, values: Array, neighbour: Array | None, rng: np.random.Generator
) -> Array:
    """Return the values (n,) of an input, numbers or texts, disturbed; `neighbour` (n,) are those
    with which they are swapped.
    """
    if kind == "noise":
        known = values[np.isfinite(values)]
        spread = float(known.std()) if len(known) else 0.0
        return np.asarray(values + rng.normal(0, NOISE * spread, len(values)).astype(values.dtype))
    hit = rng.random(len(values)) < ROWS_HIT
    changed = values.copy()
    if kind == "missing":
        changed[hit] = "" if values.dtype == object else np.nan
    elif kind == "unseen":
        changed[hit] = UNSEEN
    elif kind == "scaled":
        changed[hit] = values[hit] * TIMES
    elif neighbour is not None:
        changed[hit] = neighbour[hit]
    return changed


def check_robustness(facts: RobustnessFacts | None, gate: Gate) -> list[GateCheck]:
    """Return a check for each disturbance that the spec bounds."""
    rule = gate.robustness
    if rule is None:
        return []
    if facts is None or facts.error:
        error = facts.error if facts else ""
        return [
            refuse_unmeasured(
                f"robustness {kind}",
                f"the challenger could not be asked {WORDS[kind]}",
                error,
                field="robustness",
                limit=limit,
            )
            for kind, limit in rule.limits.items()
        ]
    return [_check(facts, kind, limit) for kind, limit in rule.limits.items()]


def _check(facts: RobustnessFacts, kind: Disturbance, limit: float) -> GateCheck:
    name = f"robustness {kind}"
    losses = [loss for loss in facts.losses if loss.kind == kind]
    if not losses:
        detail = f"no input can be disturbed {WORDS[kind]}"
        return GateCheck(name=name, passed=True, detail=detail, limit=limit)
    worst = max(losses, key=lambda loss: inf if np.isnan(loss.share) else loss.share)
    passed = isfinite(worst.share) and worst.share <= limit
    lost = f"loses {worst.share:.1%} of its {facts.metric}" if not worst.why else worst.why
    return GateCheck(
        name=name,
        passed=passed,
        detail=(
            f"of {how_many(len(losses), 'input')} disturbed one by one, {worst.column}"
            f" {WORDS[kind]} costs most: the challenger {lost},"
            f" {'within' if passed else 'beyond'} the {limit:.1%} ({facts.rows:,} held-out rows)"
        ),
        value=worst.share if isfinite(worst.share) else None,
        limit=limit,
        would_pass=("" if passed else _say_way(worst, kind, limit)),
    )


def _say_way(worst: Loss, kind: Disturbance, limit: float) -> str:
    if not isfinite(worst.share):
        return f"an answer that is a number where {worst.column} comes {WORDS[kind]}"
    return (
        f"a loss smaller by {write_enough(worst.share - limit)}, or"
        f" gate.robustness.{kind}: {write_enough(worst.share)}"
    )


def find_robustness(facts: RobustnessFacts | None, gate: Gate) -> list[CheckFindings]:
    """Return what each input cost, disturbance by disturbance."""
    if gate.robustness is None or facts is None:
        return []
    return [
        CheckFindings(
            check=f"robustness {kind}",
            value=f"by which share {facts.metric} is worse with this input {WORDS[kind]}",
            limit=limit,
            findings=[_finding_of(loss, limit) for loss in _worst_first(facts.losses, kind)],
        )
        for kind, limit in gate.robustness.limits.items()
        if any(loss.kind == kind for loss in facts.losses)
    ]


def _worst_first(losses: Sequence[Loss], kind: Disturbance) -> list[Loss]:
    of_kind = [loss for loss in losses if loss.kind == kind]
    return sorted(of_kind, key=lambda loss: -loss.share if isfinite(loss.share) else -inf)


def _finding_of(loss: Loss, limit: float) -> Finding:
    known = isfinite(loss.share)
    return Finding(
        name=loss.column,
        passed=known and loss.share <= limit,
        detail=loss.why or f"loses {loss.share:.1%}",
        value=loss.share if known else None,
    )
