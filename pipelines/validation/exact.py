"""Great Expectations' expectations that take numbers, without its models for them.

Those models make floats of whole numbers and Decimals.

They are built anew several times while they are judged, so it is not enough to set the numbers
once. Importing this module also registers the metrics of `pipelines.validation.gx_metrics`.
"""

# mypy: disable-error-code="misc"
# ruff: noqa: TID253 -- these classes extend Great Expectations; loaded when a table is judged

from __future__ import annotations

import logging
from typing import Any

from great_expectations import expectations as theirs
from great_expectations import util

_log = logging.getLogger("great_expectations.expectations.registry")
_level = _log.level
_log.setLevel(logging.ERROR)  # it warns of each metric that another one takes the place of
try:
    import pipelines.validation.gx_metrics  # noqa: F401 -- registers them
finally:
    _log.setLevel(_level)

# For each Decimal that it makes a float of, Great Expectations looks through all frames of the call
# stack, and through all modules for each frame, for its profiler, which nothing here calls: most of
# the time of a bound on Decimals.
util.stack = tuple


class ExactlyBetween(theirs.ExpectColumnValuesToBeBetween):
    """Values between bounds."""

    min_value: Any = None
    max_value: Any = None


class ExactMax(theirs.ExpectColumnMaxToBeBetween):
    """A maximum between bounds."""

    min_value: Any = None
    max_value: Any = None


class ExactMin(theirs.ExpectColumnMinToBeBetween):
    """A minimum between bounds."""

    min_value: Any = None
    max_value: Any = None


class ExactMean(theirs.ExpectColumnMeanToBeBetween):
    """A mean between bounds."""

    min_value: Any = None
    max_value: Any = None


class ExactMedian(theirs.ExpectColumnMedianToBeBetween):
    """A median between bounds."""

    min_value: Any = None
    max_value: Any = None


class ExactSum(theirs.ExpectColumnSumToBeBetween):
    """A sum between bounds."""

    min_value: Any = None
    max_value: Any = None


class ExactQuantiles(theirs.ExpectColumnQuantileValuesToBeBetween):
    """Quantiles between bounds."""

    quantile_ranges: Any


class ExactRowSum(theirs.ExpectMulticolumnSumToEqual):
    """Rows that add up."""

    sum_total: Any


EXACT: dict[str, Any] = {kind.__mro__[1].expectation_type: kind for kind in (
    ExactlyBetween, ExactMax, ExactMin, ExactMean, ExactMedian, ExactSum, ExactQuantiles,
    ExactRowSum,
)}  # fmt: skip
"""By the type that a suite names, the expectation that is judged in its place."""
