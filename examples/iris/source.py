"""The measurements of R. A. Fisher's paper of 1936, as scikit-learn ships them."""

from __future__ import annotations

import pandas as pd
from sklearn.datasets import load_iris

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def read() -> pd.DataFrame:
    """Return the 150 flowers: four lengths in centimetres, and the kind."""
    data = load_iris()
    flowers = pd.DataFrame(data.data, columns=NAMES)
    return flowers.assign(species=data.target_names[data.target])
