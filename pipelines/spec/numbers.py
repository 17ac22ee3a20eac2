"""The numbers and plain values that a spec may hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Scalar = bool | int | float | str | None
Finite = Annotated[float, Field(allow_inf_nan=False)]
Parameter = Scalar | list[Scalar] | dict[str, Scalar | list[Scalar]] | list[list[Scalar]]
"""A value of an estimator's parameter: plain, a list, or a mapping (weights by class)."""
