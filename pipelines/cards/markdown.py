"""A card as Markdown. Texts are data: nothing in them becomes a heading, a link or HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.answers.words import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.cards.document import Card, Section, Table

BRIEF = 4_000
"""Characters of the short form; MLflow keeps 5,000 of a version's description."""

_SPECIAL = re.compile(r"[\\`*\[\]|~#$]|(?<![^\W_])_|_(?![^\W_])")
_LIST = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+]{1,2}(?:[-\s]|$)))(.)")
"""What would begin a list or be a line across, at the beginning of a text."""
_AUTOLINK = re.compile(r"(?<=:)//|@|(?<=\bwww)\.", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: object) -> str:
    """Return a text that Markdown shows as it is, on one line, without links and HTML."""
    line = on_one_line(text).strip()
    line = "".join(_ENTITIES.get(c, c) for c in line)
    line = _LIST.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", line))
    return _AUTOLINK.sub(lambda m: "".join(f"&#{ord(c)};" for c in m[0]), line)


def render(card: Card) -> str:
    """Return the whole card."""
    parts = [*_head(card)]
    for section in card.sections:
        parts += ["", f"## {section.title}", *_body(section)]
    return "\n".join([*parts, "", _foot(card), ""])


def render_brief(card: Card) -> str:
    """Return what MLflow shows beside a version: marks, purpose and metrics, and where the rest is.

    At most 4,000 characters.
    """
    rest = "The whole card is the artifact card/card.md of the version's run."
    metrics = next((s for s in card.sections if s.title == "Metrics"), None)
    parts = [*_head(card), "", rest]
    if metrics is not None:
        parts += ["", f"## {metrics.title}", *_body(metrics)]
    text = "\n".join(parts)
    while len(text) > BRIEF:
        parts.pop()
        text = "\n".join([*parts, "…"])
    return text


def _head(card: Card) -> Iterator[str]:
    yield f"# {escape(card.title)}"
    yield ""
    yield escape(card.purpose)
    yield ""
    for mark in card.marks:
        yield f"- **{escape(mark.text)}**"


def _body(section: Section) -> Iterator[str]:
    if section.facts:
        yield ""
    for name, text in section.facts:
        yield f"- {escape(name)}: {escape(text)}"
    if section.table is not None and section.table.rows:
        yield ""
        yield from _table(section.table)
    for note in section.notes:
        yield ""
        yield escape(note)
    for drawing in section.drawings:
        yield ""
        yield f"A drawing is on the card's page: {escape(drawing.words)}"


def _table(table: Table) -> Iterator[str]:
    yield _line(escape(c) for c in table.columns)
    yield _line("---:" if i in table.numbers else "---" for i in range(len(table.columns)))
    for row in table.rows:
        yield _line(escape(cell) for cell in row)


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _foot(card: Card) -> str:
    return (
        f"Written from the ledger up to entry {card.entries} and what it refers to; run"
        f" {escape(card.run or 'not known')}."
    )
