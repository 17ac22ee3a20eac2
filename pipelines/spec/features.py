"""What a spec says of the features: which built columns a model sees."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipelines.refs import Value
from pipelines.spec.sources import Identifier
from pipelines.spec.units import Duration, Timeout, parse_duration


class Features(Value):
    """The built columns that a caller of the API sends, and how far back `build` looks."""

    inputs: Annotated[list[Identifier], Field(max_length=500)]
    """The columns that `build` returns and a caller of the API sends.

    May be empty for a forecast, whose other inputs are made.
    """
    lookback: Duration = parse_duration("0s")
    """How far before its batch `build` sees raw rows."""
    personal: dict[Identifier, Literal["hash", "drop"]] = Field(default_factory=dict)
    """Inputs (or key columns) with personal data.

    The inference log holds a keyed hash of them, or nothing.
    """
    timeout: Timeout | None = None
    """How long `build` may take for one batch.

    Default: the setting PERENNIAL_USER_CODE_TIMEOUT_SECONDS.
    """

    def seconds(self, default: float) -> float:
        """Return the time-out of `build`."""
        return self.timeout.total_seconds() if self.timeout else default
