"""The turn of a retraining, where a fleet lets only so many be under way at once."""

from __future__ import annotations

from typing import Literal

from pipelines.ledger.decision import Decision


class Turn(Decision):
    """What happened to the turn of the run `run`, in one attempt of the task that waits for it.

    `waits`: it stands in line, under its owner and priority; with `first` before all others, and
    then `why` is the reason that was named. `asks` tells that a person is asked before it deploys:
    its turn ends with the verdict. `begins`: it is under way. `declined`: it does not begin, and
    `why` says why. `ends`: its turn is over though no outcome says so, as `why` tells.
    """

    kind: Literal["turn"] = "turn"
    run: str
    event: Literal["waits", "begins", "declined", "ends"]
    attempt: int = 1
    owner: str = ""
    priority: int = 0
    first: bool = False
    asks: bool = False
    why: str = ""

    @property
    def words(self) -> str:
        """It in words, as a list of decisions shows it."""
        said = {
            "waits": "waits for its turn",
            "begins": "its turn came",
            "declined": "declined",
            "ends": "its turn is over",
        }[self.event]
        why = f": {self.why}" if self.why else ""
        return f"{said}{' (goes first)' if self.first else ''}: {self.run}{why}"
