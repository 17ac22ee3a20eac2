"""What a decision about a booking costs the hotel, in euros."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

WALKED = 1.5
"""A guest who comes although the room was sold again is brought to another hotel, at the hotel's
expense: one and a half times the value of the booking."""


def cost(y: np.ndarray, prediction: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """Return what each booking costs in euros, (n,).

    A cancelled booking that nobody expected leaves the room empty: its whole value is lost.
    """
    value = np.nan_to_num(rows["value"].to_numpy(dtype=float)).clip(min=0)
    missed, walked = (y == 1) & (prediction == 0), (y == 0) & (prediction == 1)
    return np.where(missed, value, np.where(walked, WALKED * value, 0.0))
