"""The frozen model: the first version that was ever deployed, as it would answer if nobody had
renewed it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.bundle.load import open_bundle
from pipelines.bundle.rows import feed_from_table
from pipelines.errors import RequestError
from pipelines.ledger import Crown
from pipelines.tasks import is_wide

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.bundle.load import OpenBundle
    from pipelines.context import Context


def open_first_champion(context: Context) -> OpenBundle:
    """Return the bundle of the model's first champion. Raises RequestError where there was none."""
    champions = context.ports.ledger.entries(context.spec.name, "champion")
    if not champions:
        raise RequestError(
            f"{context.spec.name} has never had a champion.",
            remedy=f"run retrain_{context.spec.name} first.",
        )
    return open_bundle(context.ports.store, champions[0].read(Crown).bundle)


def answers(bundle: OpenBundle, rows: pa.Table) -> np.ndarray[Any, Any]:
    """Return the bundle's answers for built rows: (n,), or (n, k) by class."""
    inputs = bundle.manifest.inputs
    predictions = bundle.predictor.predict_feed(feed_from_table(inputs.columns, rows))
    return predictions if is_wide(inputs.task) else predictions[:, 0]
