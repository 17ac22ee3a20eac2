"""When a clustering may take over from the champion's: proven better, or the same and no worse.

A clustering that is fitted again on newer rows is hardly ever better. If it is the same one, it may
follow, because the names of its clusters keep their meaning; if it is another one, it must be
proven better, because every reader has to learn it anew.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from pipelines.messages import GateCheck
from pipelines.spec.clusters import STABLE

if TYPE_CHECKING:
    from pipelines.science.bootstrap import Comparison, Spread
    from pipelines.science.gate.facts import Succession
    from pipelines.spec.gate import Gate

WORSE = 0.05
"""The share of the champion's value by which the same clustering may be worse."""
WEAK = 0.8
"""Below this share of rows that keep their cluster the names mean something else by now."""


def check_succession(
    better: GateCheck, succession: Succession, comparison: Comparison | None, gate: Gate
) -> list[GateCheck]:
    """Return the check of the comparison with the champion, and what becomes of its names.

    `better` is the check that every task has: whether the challenger is proven better.
    """
    floor = gate.versus_champion.stability
    words, stable = _say_stable(succession.stability, STABLE if floor is None else floor)
    passed, detail = better.passed, better.detail
    if passed:
        detail = f"{detail}; {words}"
    elif stable and comparison is not None:
        worse = _say_worse(comparison)
        passed = not worse
        detail = f"{detail}; but {words}" + (f"; yet {worse}" if worse else "")
    else:
        detail = f"{detail}, and {words}"
    return [
        better.model_copy(
            update={
                "passed": passed,
                "detail": detail,
                "would_pass": "" if passed else f"{better.would_pass}; or the same clusters",
            }
        ),
        GateCheck(name="names of clusters", passed=True, detail=_say_names(succession)),
    ]


def _say_stable(stability: Spread, floor: float) -> tuple[str, bool]:
    value, least = stability.value, stability.bad_end
    if not isfinite(value) or not isfinite(least):
        why = f" ({stability.untold})" if stability.untold else ""
        return f"its stability against the champion's clusters is not known{why}", False
    stable = least >= floor
    return (
        f"the clusters are {'the same ones' if stable else 'others'}: stability {value:.3f}, at"
        f" least {least:.3f} with {stability.confidence:.0%} confidence, is"
        f" {'at or above' if stable else 'below'} the {floor:g} that gate.versus_champion.stability"
        " asks for"
    ), stable


def _say_worse(comparison: Comparison) -> str:
    """Return in words that the challenger may be worse by too much; empty where it is not."""
    allowance = WORSE * abs(comparison.opponent)
    if isfinite(comparison.lower) and comparison.lower >= -allowance:
        return ""
    return (
        f"{comparison.metric} may be worse by more than {WORSE:.0%} of the champion's"
        f" (by {comparison.difference:+.3g}, at least {comparison.lower:+.3g})"
    )


def _say_names(succession: Succession) -> str:
    kept = succession.kept
    text = f"{kept:.1%} of the held-out rows keep their cluster"
    if kept < WEAK:
        text = f"WEAK MATCH: only {text}, so the names mean something else by now"
    if succession.new:
        text += f"; {succession.new} {'cluster is' if succession.new == 1 else 'clusters are'} new"
    if succession.gone:
        gone = ", ".join(succession.gone)
        text += f"; {gone} {'is' if len(succession.gone) == 1 else 'are'} gone"
    return text
