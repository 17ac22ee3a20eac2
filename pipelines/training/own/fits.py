"""How own pipelines are fitted: with weights of rows, and of quantiles one for each level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.bundle.quantile_fits import QuantileFits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]


def fit_own(model: Any, frame: pd.DataFrame, y: Array, weights: Array | None) -> Any:
    """Return the fitted estimator or pipeline, whose last step is given the weights of rows."""
    extra = {}
    if weights is not None:
        step = f"{model.steps[-1][0]}__" if hasattr(model, "steps") else ""
        extra = {f"{step}sample_weight": weights}
    fitted = model.fit(frame, y.copy(), **extra)
    return model if fitted is None else fitted


def fit_levels(
    make: Callable[[float], Any],
    levels: Sequence[float],
    frame: pd.DataFrame,
    y: Array,
    weights: Array | None,
) -> Any:
    """Return the levels' fits as one estimator, which answers (n, k) that do not fall in a row."""
    fitted = [fit_own(make(level), frame, y, weights) for level in levels]
    return QuantileFits.of_fitted(fitted, tuple(levels))
