"""Transformers that scikit-learn has no class for, with NumPy alone.

A bundle that is served natively names them, so they are few and stay where they are.
"""

from pipelines.transformers.dates import DateParts
from pipelines.transformers.numbers import Cycles, SignedLog

__all__ = ["Cycles", "DateParts", "SignedLog"]
