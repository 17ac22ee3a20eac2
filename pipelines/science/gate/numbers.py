"""How the gate writes numbers: with as many decimals as tell them apart, and in their unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.spec.metrics import find_metric, is_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.science.bootstrap import Comparison
    from pipelines.spec.gate import Gate
    from pipelines.spec.own_metrics import OwnMetric

_GREAT = 1e6
"""From here on decimals say nothing."""


@dataclass(frozen=True)
class GateMetric:
    """A metric that the gate names, and how its values are written.

    `unit` is what it is counted in; empty where it has none. `greater_is_better` is None of a
    metric that nobody knows.
    """

    name: str
    unit: str = ""
    greater_is_better: bool | None = None

    def write(self, value: float, beside: float | None = None) -> str:
        """Return a value in its unit, told apart from the one `beside` it."""
        return f"{write_number(value, beside)}{f' {self.unit}' if self.unit else ''}"

    def write_gain(self, comparison: Comparison) -> str:
        """Return by how much the challenger is better, at least, and how sure that is."""
        return f"{self._write_gain(comparison)} with {comparison.confidence:.0%} confidence"

    def _write_gain(self, comparison: Comparison) -> str:
        if not self.unit:
            return f"by {comparison.difference:+.4g}, at least {comparison.lower:+.4g}"
        change = comparison.challenger - comparison.opponent
        way = "less" if change < 0 else "more"
        return (
            f"{abs(change):.4g} {self.unit} {way}, better by at least {comparison.lower:+.4g}"
            f" {self.unit}"
        )


def metrics_of(gate: Gate, own: Mapping[str, OwnMetric]) -> dict[str, GateMetric]:
    """Return the metrics that a gate names, by name; `own` are the model's own."""
    return {name: _find(name, own) for name in gate.metrics}


def write_number(value: float, beside: float | None = None) -> str:
    """Return the value with three decimals, or as many (up to 17 digits) as are needed to tell it
    apart from the one `beside` it.
    """
    if abs(value) >= _GREAT:
        return f"{value:.6g}"
    if beside is None or value == beside:
        return f"{value:.3f}"
    texts = ((f"{value:.{digits}f}", f"{beside:.{digits}f}") for digits in range(3, 17))
    return next((ours for ours, theirs in texts if ours != theirs), repr(float(value)))


def _find(name: str, own: Mapping[str, OwnMetric]) -> GateMetric:
    if name in own:
        return GateMetric(name, own[name].shown_unit, own[name].greater_is_better)
    if is_known(name):
        return GateMetric(name, greater_is_better=find_metric(name).greater_is_better)
    return GateMetric(name)
