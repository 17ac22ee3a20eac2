"""What the owner has to do about what an erasure has left, and about what nobody looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKUPS = (
    "Backups, and copies of disks, cannot be changed: make a new backup, then destroy the old ones"
    " (`perennial traces VALUE --backup FILE` tells which hold it); after a restore of an old one,"
    " erase again."
)
SOURCE = "The source still has what it has: take the person out of it, or they come back."

_STORE = (
    "is of a bundle that serves, of a finished model or of another model: retrain, which brings a"
    " bundle without the person, then `perennial prune`; erase in the other model, too"
)
_BY_PLACE = {
    "objects": _STORE,
    "entries": _STORE,
    "segments": "is of another model's log, or is written now: erase there, or run again",
    "features": "is of another model's features: erase there, too",
    "ledger": "is a word of a decision, which nobody changes: judge by other slices",
    "mlflow": "is a fitted model, a tag, or of another model: delete the run or version in MLflow,"
    " then `mlflow gc`",
    "airflow": "is of a run that is not over, of another model, or a note: run again when the run"
    " is over, or delete the run in Airflow",
    "state": "is MLflow's or Airflow's database, a result by hand (`var/hand`), or another"
    " model's: delete the run in MLflow or Airflow, and the file where it is yours",
}


def advise(left: Sequence[str]) -> list[str]:
    """Return what to do, a sentence for each place in which something is left (`place: name`), and
    for what no search sees.
    """
    places = dict.fromkeys(name.partition(":")[0] for name in left)
    said = [
        f"What is left in {place} {_BY_PLACE[place]}." for place in places if place in _BY_PLACE
    ]
    return [*said, BACKUPS, SOURCE]
