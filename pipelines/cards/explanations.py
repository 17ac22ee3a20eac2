"""What a version looks at: losses by shuffling, and what each input adds to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cards.document import NOT_MEASURED, Drawing, Section, Table
from pipelines.cards.figures import find_figures
from pipelines.errors import Corrupted
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from pipelines.cards.figures import Attributed, CardFigures, LossByInput, Shuffled
    from pipelines.cards.known import Known
    from pipelines.store.port import Store

MOST = 20
"""Inputs that a table shows."""


def explanations(known: Known) -> list[Section]:
    """Return what the version looks at, by shuffling and by attribution."""
    figures = known.figures
    return [_by_shuffling(figures), _by_attribution(figures)]


def what_it_looks_at(
    store: Store, model: str, run: str, version: str
) -> tuple[list[list[str]], str] | None:
    """Return the rows (input, loss, interval) of what a run's version looks at, and what they are.

    None where nothing was measured of it, or where that was changed.
    """
    try:
        figures = find_figures(store, model, run)
    except Corrupted:
        return None
    if figures is None or figures.version != version or figures.shuffled is None:
        return None
    return losses_table(figures.shuffled).rows, how_shuffled(figures.shuffled)


def _by_shuffling(figures: CardFigures | None) -> Section:
    title = "What it looks at"
    found = figures.shuffled if figures else None
    if found is None:
        return Section(title=title, notes=[_why_not(figures, "importance")])
    drawings = []
    if found.drawing is not None:
        words = f"What {found.metric} loses by input; the line is the interval, where there is one."
        drawings.append(Drawing(svg=found.drawing, words=words))
    return Section(
        title=title, table=losses_table(found), drawings=drawings, notes=[how_shuffled(found)]
    )


def losses_table(found: Shuffled) -> Table:
    """Return what the metric loses by input, each with its interval."""
    rows = [[each.name, f"{each.loss:.3g}", interval_of(each)] for each in found.losses[:MOST]]
    return Table(
        columns=["input", f"{found.metric} lost", "90% interval"], rows=rows, numbers=[1, 2]
    )


def interval_of(each: LossByInput) -> str:
    """Return the interval of a loss; where there is none, why."""
    if each.low is None or each.high is None:
        return f"{NOT_MEASURED}: {each.untold}" if each.untold else NOT_MEASURED
    return f"{each.low:.3g} to {each.high:.3g}"


def how_shuffled(found: Shuffled) -> str:
    """Return what was done to come to the losses, and what they do not say."""
    text = (
        f"What {found.metric} loses where one input is shuffled among"
        f" {how_many(found.rows, 'held-out row')}, the mean of"
        f" {how_many(found.repeats, 'shuffling')}."
    )
    if any(each.low is not None for each in found.losses):
        text += f" The intervals rest on {found.evidence}, left out one by one; they are often"
        text += " wider than they need be."
    text += " Of inputs that say the same, each looks needless."
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
