"""What a rebuild came to: each thing that was compared, and what was not as it had been."""

from __future__ import annotations

from typing import Literal

from pipelines.ledger import MadeFrom, Proof
from pipelines.refs import Value

LONGEST = 300
"""Characters of one difference that the ledger keeps."""
MOST = 20
"""Differences, and causes, that the ledger keeps."""


class Check(Value):
    """One thing that was compared; where it differs, `words` say how.

    `detail` is what of it may be somebody's: keys and values of rows. It is shown to whoever asks,
    and kept nowhere: the ledger is for ever, and a person can ask to be erased.
    """

    name: str
    equal: bool
    words: str = ""
    detail: str = ""

    @property
    def sentence(self) -> str:
        """What differs, in one line."""
        return f"{self.name}: {self.words}"


class Rebuild(Value):
    """A version that was built again.

    `causes` is what was not as it was when the version was made, any of which may be why something
    differs; `notes` is what else there is to know. `rows` were asked of both, of which `identical`
    had the same answers bit for bit; `seconds` it took, by part.
    """

    model: str
    version: str
    candidate: str
    features_revision: str
    made_from: MadeFrom
    checks: list[Check]
    causes: list[str]
    notes: list[str]
    rows: int
    identical: int
    seconds: dict[str, float]

    @property
    def verdict(self) -> Literal["equal", "different"]:
        """Whether all that was compared is equal."""
        return "different" if self.differences else "equal"

    @property
    def differences(self) -> list[str]:
        """What differs, in the order in which a version is made: the first one may cause all."""
        return [check.sentence for check in self.checks if not check.equal]

    @property
    def words(self) -> str:
        """The outcome in one line."""
        name = f"version {self.version} of {self.model}"
        if self.differences:
            return f"{name} came out otherwise. First difference: {self.differences[0]}"
        return f"{name} came out equal: {len(self.checks)} things, {self.rows:,} rows"

    def proof(self) -> Proof:
        """Return what the ledger keeps of it."""
        return Proof(
            version=self.version,
            verdict=self.verdict,
            differences=[text[:LONGEST] for text in self.differences[:MOST]],
            causes=[text[:LONGEST] for text in self.causes[:MOST]],
            rows=self.rows,
            recipe=self.made_from.recipe,
        )
