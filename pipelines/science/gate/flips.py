"""How many decisions would change if the challenger took the champion's place, and which."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

from pipelines.messages import CheckFindings, Finding, GateCheck
from pipelines.science.enough import write_enough
from pipelines.science.gate.shares import UNIT, share_by_pieces, weigh_shares
from pipelines.science.gate.unmeasured import refuse_unmeasured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.science.pieces import Pieces
    from pipelines.spec.gate import Gate

    Array = NDArray[Any]

NAME = "flips"
_SURE = 0.95
_LEAST_PIECES = 10
"""Of fewer pieces a share has no interval."""


@dataclass(frozen=True)
class FlipShare:
    """The share of `rows` rows that would be decided otherwise, with its 95 % interval.

    NaN where there is none.
    """

    name: str
    rows: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class FlipFacts:
    """What is known of the decisions that would change.

    `whole` is None where no champion answers, so that no decision changes. `examples` are rows that
    would be decided otherwise, in words. `error` says why nothing is known.
    """

    whole: FlipShare | None = None
    parts: tuple[FlipShare, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    error: str = ""


def measure_flips(
    changed: Array, slices: Mapping[str, Array], pieces: Sequence[Pieces]
) -> tuple[FlipShare, tuple[FlipShare, ...]]:
    """Return the share of rows that change (n,) booleans, of all and of each slice: masks (n,)."""
    import numpy as np

    everything = np.full(len(changed), fill_value=True)
    whole = _measure("all rows", changed, everything, pieces)
    return whole, tuple(_measure(name, changed, m, pieces) for name, m in slices.items())


def _measure(name: str, changed: Array, mask: Array, pieces: Sequence[Pieces]) -> FlipShare:
    import numpy as np

    rows = int(mask.sum())
    share = float(changed[mask].mean()) if rows else float("nan")
    touched = min(len(np.unique(way.of_row[mask])) for way in pieces)
    if touched < _LEAST_PIECES:
        return FlipShare(name, rows, share, float("nan"), float("nan"))
    student = weigh_shares(pieces, lambda way: [share_by_pieces(changed, mask, way)], UNIT)
    level = (1 + _SURE) / 2
    return FlipShare(name, rows, share, student.bad_end(level), student.good_end(level))


def check_flips(facts: FlipFacts | None, gate: Gate) -> list[GateCheck]:
    """Return the check of the decisions that would change; nothing where the spec asks for none."""
    rule = gate.flips
    if rule is None:
        return []
    if facts is None or facts.error:
        failure = "the decisions that would change could not be counted"
        error = facts.error if facts else ""
        return [refuse_unmeasured(NAME, failure, error, field="flips", limit=rule.most)]
    if facts.whole is None:
        detail = "no champion answers, so no decision changes"
        return [GateCheck(name=NAME, passed=True, detail=detail, limit=rule.most)]
    found = facts.whole
    passed = rule.most is None or found.share <= rule.most
    bound = "" if rule.most is None else f", {'within' if passed else 'beyond'} the {rule.most:.2%}"
    return [
        GateCheck(
            name=NAME,
            passed=passed,
            detail=f"{found.share:.2%} of {found.rows:,} held-out rows would be decided otherwise"
            f"{_ends(found)}{bound}",
            value=found.share,
            limit=rule.most,
            would_pass=_say_way(found, rule.most) if rule.most is not None and not passed else "",
        )
    ]


def _say_way(found: FlipShare, most: float) -> str:
    fewer = ceil(round((found.share - most) * found.rows, 6))
    return f"{fewer:,} decisions fewer that change, or gate.flips.most: {write_enough(found.share)}"


def find_flips(facts: FlipFacts | None, gate: Gate) -> list[CheckFindings]:
    """Return the shares slice by slice, and examples."""
    if gate.flips is None or facts is None or facts.whole is None:
        return []
    shares = [
        Finding(
            name=part.name,
            passed=None,
            detail=f"{part.rows:,} rows",
            value=_finite(part.share),
            low=_finite(part.low),
            high=_finite(part.high),
        )
        for part in (facts.whole, *facts.parts)
    ]
    examples = [Finding(name=n, passed=None, detail=words) for n, words in facts.examples]
    found = [
        CheckFindings(
            check=NAME,
            value="the share of decisions that would change",
            limit=gate.flips.most,
            findings=shares,
        )
    ]
    if examples:
        what = "rows that would be decided otherwise"
        found.append(CheckFindings(check=NAME, value=what, limit=None, findings=examples))
    return found


def _ends(found: FlipShare) -> str:
    if not (isfinite(found.low) and isfinite(found.high)):
        return ""
    return f" ({found.low:.2%} to {found.high:.2%} with {_SURE:.0%} confidence)"


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
