"""What a version looks at: losses by shuffling, and what each input adds to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cards.document import NOT_MEASURED, Drawing, Section, Table
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from pipelines.cards.figures import Attributed, CardFigures, Shuffled
    from pipelines.cards.known import Known

MOST = 20
"""Inputs that a table shows."""


def explanations(known: Known) -> list[Section]:
    """Return what the version looks at, by shuffling and by attribution."""
    figures = known.figures
    return [_by_shuffling(figures), _by_attribution(figures)]


def _by_shuffling(figures: CardFigures | None) -> Section:
    title = "What it looks at"
    found = figures.shuffled if figures else None
    if found is None:
        return Section(title=title, notes=[_why_not(figures, "importance")])
    return Section(title=title, table=_losses(found), notes=[_how_shuffled(found)])


def _losses(found: Shuffled) -> Table:
    rows = [[each.name, f"{each.loss:.3g}", f"{each.spread:.2g}"] for each in found.losses[:MOST]]
    columns = ["input", f"{found.metric} lost", "spread over the shufflings"]
    return Table(columns=columns, rows=rows, numbers=[1, 2])


def _how_shuffled(found: Shuffled) -> str:
    text = (
        f"What {found.metric} loses where one input is shuffled among"
        f" {how_many(found.rows, 'held-out row')}, the mean of"
        f" {how_many(found.repeats, 'shuffling')}. The spread is that of the shufflings, and says"
        " nothing of other rows. Of inputs that say the same, each looks needless."
    )
    if found.left_out:
        left = how_many(found.left_out, "input was", "inputs were")
        text += f" {left} not shuffled for want of time."
    return text + _rest(len(found.losses))


def _rest(count: int) -> str:
    return f" The first {MOST} of {count} inputs are shown." if count > MOST else ""


def _by_attribution(figures: CardFigures | None) -> Section:
    title = "What each input adds"
    found = figures.attributed if figures else None
    if found is None:
        why = figures.not_attributed if figures else ""
        text = f"not available for this estimator: {why}" if why else ""
        return Section(title=title, notes=[text or _why_not(figures, "attributions")])
    drawings = []
    if found.drawing is not None:
        words = (
            "A point for each row; to the right the input raises the answer. Colour: the input's"
            " own value, blue low, orange high, grey without an order."
        )
        drawings.append(Drawing(svg=found.drawing, words=words))
    return Section(title=title, table=_amounts(found), drawings=drawings, notes=[_how(found)])


def _amounts(found: Attributed) -> Table:
    rows = [[each.name, f"{each.mean:.3g}", f"{each.share:.1%}"] for each in found.amounts[:MOST]]
    return Table(columns=["input", "adds in the mean", "of all"], rows=rows, numbers=[1, 2])


def _how(found: Attributed) -> str:
    return (
        f"What each input adds to an answer (of classes: before it becomes a probability), without"
        f" its sign, the mean of {how_many(found.rows, 'held-out row')}: {found.method}. The sums"
        f" are off by at most {found.off:.1g} of the answers' spread. It describes these rows, and"
        f" has no interval.{_rest(len(found.amounts))}"
    )


def _why_not(figures: CardFigures | None, what: str) -> str:
    if figures is None:
        return f"{NOT_MEASURED}: no record of this version has it"
    return figures.nothing or f"{NOT_MEASURED}: {figures.failed.get(what, 'nobody says why')}"
