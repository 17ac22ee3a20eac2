"""What `check` advises though nothing is wrong.

One sentence for each thing that will not do what its owner wants.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.science.gates import blind_spot
from pipelines.watch.window import never_judged

if TYPE_CHECKING:
    from pipelines.spec import Spec

LONGEST = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=31),
}
"""How long a batch is at most."""


def advice(spec: Spec) -> list[str]:
    """Return the advice for a spec, each as one sentence without its full stop.

    Nothing where all is well.
    """
    return [text for text in (_performance(spec), blind_spot(spec.gate, spec.task)) if text]


def _performance(spec: Spec) -> str:
    """Return what to say where the outcomes of a window come too late to be judged."""
    if spec.drift is None or spec.batch is None or not isinstance(spec.drift.window, int):
        return ""
    return never_judged(spec, spec.drift.window * LONGEST[spec.batch])
