"""What a spec says of learning: from which rows, and on which it is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipelines.refs import Value
from pipelines.spec.drift import Cron
from pipelines.spec.sources import Identifier
from pipelines.spec.units import Holdout, Learnt, Timeout

Choice = Literal["one_standard_error", "best"]
AUTO_MOST = 12
"""How many batches `window: auto` learns from at most."""
HOLDOUT_SHARE = 0.2
"""The share of a snapshot's rows that are held out where the spec does not say."""


class Train(Value):
    """What is learnt from: at most `window` batches, judged on the `holdout` newest ones.

    Of data without time: the rows but a share `holdout` of them (default 0.2), on which none is
    ever fitted. All rows with the same value of the built column `group` are on one side.
    """

    window: Learnt = 6
    """How many batches are learnt from at most. `auto`: at most 12, and for the final fit only the
    newest of them where a probe shows that the older ones mislead.
    """
    holdout: Holdout = 1
    """How many of the newest batches judge; of a snapshot the share of its rows."""
    group: Identifier | None = None
    """Of a snapshot: rows with the same value of this column stay on one side."""
    metric: str
    """What candidates and settings are compared in."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """The same data and seed give the same model."""
    folds: Annotated[int, Field(ge=2, le=20)] = 3
    """On how many folds each setting is tried."""
    repeats: Annotated[int, Field(ge=1, le=20)] = 1
    """Of a snapshot: how often the folds are cut anew, by another seed each time."""
    nested: bool = False
    """Whether folds around the search say what its winner is worth: as many searches more."""
    choice: Choice = "one_standard_error"
    """Which candidate is the challenger: the simplest within one standard error of the best, or
    the best.
    """
    sample_weight: Identifier | None = None
    """A built column that says how much each row counts in a fit; no input. In scores all rows
    count alike.
    """
    schedule: Cron | None = None
    """When it is retrained by the clock; drift and people start it too."""
    timeout: Timeout | None = None
    """How long one fit or answer of an own pipeline may take.

    Default: the setting PERENNIAL_USER_CODE_TIMEOUT_SECONDS.
    """

    @property
    def most_batches(self) -> int:
        """How many batches are learnt from at most."""
        return AUTO_MOST if self.window == "auto" else self.window

    @property
    def is_probed(self) -> bool:
        """Whether a probe says how many of them the final fit learns from."""
        return self.window == "auto"

    def seconds(self, default: float) -> float:
        """Return the time-out of an own pipeline."""
        return self.timeout.total_seconds() if self.timeout else default
