"""The best that could have been done, known afterwards: which versions, and how often a new one.

A version is made before a batch and may serve from that batch on. Losses are smaller where a
version is better; NaN where a batch was not scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def best_losses(losses: Array) -> Array:
    """Return the least loss on each batch (n,) of the versions that were made by then.

    `losses` are (n, n): of the version that was made before batch i on batch j, of which j >= i
    count. NaN where none has one.
    """
    possible = np.where(np.triu(np.ones_like(losses, dtype=bool)), losses, np.nan)
    found = np.full(losses.shape[1], np.nan)
    scored = np.isfinite(possible).any(axis=0)
    found[scored] = np.nanmin(possible[:, scored], axis=0)
    return found


def best_schedule(losses: Array, most: int) -> tuple[float, tuple[int, ...]]:
    """Return the least mean loss of a schedule that retrains `most` times or less, and when.

    It begins with the version before the first batch, may retrain before any other one, and always
    takes what it made. `losses` as in `best_losses`. A version that a batch has no loss of, while
    others have, is never chosen for it. The exact minimum, by dynamic programming over batches.
    Raises ValueError where no batch was scored.
    """
    scored = np.isfinite(best_losses(losses))
    if not scored.any():
        msg = "no batch was scored"
        raise ValueError(msg)
    count = len(losses)
    cost = np.where(np.isfinite(losses), losses, np.inf)
    cost[:, ~scored] = 0.0
    # serves[i, j]: the summed loss of version i on the batches i..j-1
    serves = np.full((count, count + 1), np.inf)
    for i in range(count):
        serves[i, i] = 0.0
        serves[i, i + 1 :] = np.cumsum(cost[i, i:])
    totals = [serves[0]]
    begun: list[Array] = []
    for _ in range(min(most, count - 1)):
        through = totals[-1][:count, None] + serves
        through[0] = np.inf
        begun.append(through.argmin(axis=0))
        totals.append(through.min(axis=0))
    used = int(np.argmin([total[count] for total in totals]))
    moments, end = [], count
    for step in range(used, 0, -1):
        end = int(begun[step - 1][end])
        moments.append(end)
    return float(totals[used][count]) / int(scored.sum()), tuple(moments[::-1])
