"""Cells under the microscope: the Wisconsin measurements, as scikit-learn ships them.

In the form of the benchmark of outlier detection: all benign tumours, and few malignant ones.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

MALIGNANT = 21
"""Malignant tumours that are kept, beside 357 benign ones."""
MEASURES = 10
"""The first columns, the means of each measure over a tumour's cells."""


def read() -> pd.DataFrame:
    """Return a row for each tumour: the means over its cells, and whether it is malignant."""
    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names[:MEASURES]]
    tumours = pd.DataFrame(data.data[:, :MEASURES], columns=names)
    tumours["malignant"] = data.target == 0
    rare = tumours.index[tumours["malignant"]][:MALIGNANT]
    kept = tumours[~tumours["malignant"] | tumours.index.isin(rare)].reset_index(drop=True)
    # A pathologist has looked at every second one; of the others nobody has told.
    looked_at = np.arange(len(kept)) % 2 == 0
    kept["malignant"] = kept["malignant"].astype("boolean").where(looked_at, pd.NA)
    return kept
