"""The numbers and plain values that a spec may hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Scalar = bool | int | float | str | None
Finite = Annotated[float, Field(allow_inf_nan=False)]
