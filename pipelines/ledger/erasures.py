"""That people's rows were erased: a mark on the versions that had learnt from them."""

from __future__ import annotations

from typing import Literal

from pipelines.ledger.decision import Decision
from pipelines.plurals import how_many
from pipelines.refs import Ref, Sha256


class Erasure(Decision):
    """Rows of people, known by a column, that were erased from what a model has stored.

    `people` are keyed hashes of the people's keys, which nobody can guess without the key's file.
    `rows` counts those in batches; `manifests` maps each batch's old manifest to its new one.
    `versions` had learnt from the rows; `revisions` are the features revisions that cannot be read
    whole any more; `left` names what still holds traces.
    """

    kind: Literal["erasure"] = "erasure"
    column: str
    people: list[Sha256]
    rows: int
    batches: int
    objects: int
    manifests: Ref
    versions: list[str]
    revisions: list[str]
    features_revision: str = ""
    left: list[str]

    @property
    def words(self) -> str:
        """It in words, as a list of decisions shows it."""
        rows = f"{how_many(self.rows, 'row')} of {how_many(len(self.people), 'person', 'people')}"
        versions = ", ".join(self.versions) or "none"
        left = f"; {how_many(len(self.left), 'trace')} left" if self.left else "; no trace is left"
        return f"{rows} erased; versions that had learnt from them: {versions}{left}"
