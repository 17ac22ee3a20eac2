"""Every metric of the catalogue.

To add one, declare it in `class_metrics`, `value_metrics`, `cluster_metrics` or `flag_metrics`, and
write its formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.spec.class_metrics import CLASS_FAMILIES, CLASS_METRICS
from pipelines.spec.cluster_metrics import CLUSTER_METRICS
from pipelines.spec.flag_metrics import FLAG_FAMILIES
from pipelines.spec.value_metrics import VALUE_FAMILIES, VALUE_METRICS

if TYPE_CHECKING:
    from pipelines.spec.metric import Family, Metric

METRICS: dict[str, Metric] = {m.name: m for m in (*CLASS_METRICS, *VALUE_METRICS, *CLUSTER_METRICS)}
"""Every metric whose name holds no number, by name."""
FAMILIES: tuple[Family, ...] = (*CLASS_FAMILIES, *VALUE_FAMILIES, *FLAG_FAMILIES)
"""Every kind of metric whose name holds a number."""
