"""A card as what it says, before it becomes Markdown or HTML. Every text may hold anything."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.refs import Ref, Value

NOT_MEASURED = "not measured"
NOT_KNOWN = "not known"


class Table(Value):
    """Rows of texts; those of `numbers` (places of columns) stand to the right."""

    columns: list[str]
    rows: list[list[str]]
    numbers: list[int] = Field(default_factory=list)


class Drawing(Value):
    """A drawing in the store, and what stands below it."""

    svg: Ref
    words: str


class Section(Value):
    """A part of a card: facts with their names, a table, drawings, and what is to be said of it."""

    title: str
    facts: list[tuple[str, str]] = Field(default_factory=list)
    table: Table | None = None
    drawings: list[Drawing] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class Mark(Value):
    """What stands at the top of a card, and how it looks."""

    tone: Literal["good", "bad", "plain"]
    text: str


class Card(Value):
    """What is known of one version."""

    model: str
    version: str
    purpose: str
    run: str
    """The run that judged the version."""
    run_id: str
    """The version's run in MLflow; empty where it is not known."""
    entries: int
    """The newest entry of the model's in the ledger when the card was written."""
    marks: list[Mark]
    sections: list[Section]

    @property
    def title(self) -> str:
        """What the card is of."""
        return f"{self.model}, version {self.version}"
