"""All that is tested of a window, at one level: the inputs, the answers, how right they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pipelines.plurals import how_many
from pipelines.science.changes.facts import Changes, Family, FamilyChange
from pipelines.science.changes.families import say_nothing
from pipelines.science.changes.find import find_changes
from pipelines.science.family_words import tell_family
from pipelines.science.regimes import match
from pipelines.science.row_losses import has_losses
from pipelines.watch.preconditions import rule_of, watched_inputs
from pipelines.watch.samples import input_sides, loss_sides, prediction_sides

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipelines.bundle.schema import Column
    from pipelines.science.pieces import Span
    from pipelines.spec.drift import Drift
    from pipelines.watch.samples import Sides
    from pipelines.watch.sides import ChampionReference, Labelled, Rows

    Array = NDArray[Any]

Part = Literal["inputs", "predictions", "losses"]
_FAMILIES: dict[Part, tuple[Family, ...]] = {
    "inputs": ("missing", "inputs", "together"),
    "predictions": ("predictions",),
    "losses": ("performance",),
}
"""What is said of each part; the rows of each are others."""
LEAST = 30
"""Rows of a reference of which something can be said; of the window the spec says it."""
_MORE_THAN_ONE = 2


@dataclass(frozen=True)
class Tested:
    """What a window can be tested for, each with both of its sides; None where it cannot be.

    `why` says why not, in words.
    """

    columns: list[Column]
    inputs: Sides | None
    predictions: Sides | None
    losses: Sides | None
    why: dict[Family, str]
    flags: bool

    @property
    def parts(self) -> dict[Part, Sides]:
        """What is asked together, by what it is of."""
        parts: dict[Part, Sides | None] = {
            "inputs": self.inputs,
            "predictions": None if self.flags else self.predictions,
            "losses": self.losses,
        }
        return {part: sides for part, sides in parts.items() if sides is not None}

    @property
    def count(self) -> int:
        """How many families share the level."""
        return self.of_inputs + len(self.parts.keys() - {"inputs"}) + int(self.flags)

    @property
    def of_inputs(self) -> int:
        """How many of them are of the inputs: missing values, each input, inputs together."""
        if self.inputs is None:
            return 0
        return 3 if len(self.columns) >= _MORE_THAN_ONE else 2


def find_testable(
    rules: Drift,
    window: Rows,
    labelled: Labelled | None,
    champion: ChampionReference,
    names: list[str],
) -> Tested:
    """Return what can be tested of the window's inputs with these `names`, and of its answers."""
    why: dict[Family, str] = {}
    columns = [c for c in watched_inputs(champion.schema) if c.name in names]
    predictions = None
    if not len(champion.reference.predictions):
        why["predictions"] = "the champion's bundle holds no answers of its holdout"
    elif len(window.predictions) < rules.min_rows:
        few = how_many(len(window.predictions), "row was", "rows were")
        why["predictions"] = (
            f"{few} answered by the champion, {rules.min_rows:,} are needed (min_rows)"
        )
    else:
        predictions = prediction_sides(window, champion)
    if champion.rate is not None:
        why["predictions"] = (
            "scores have another scale in a model fitted again; the share of flagged rows is tested"
        )
    losses = loss_sides(labelled, champion)
    if champion.held is None:
        why["performance"] = (
            "the champion's bundle does not hold how wrong it was on its holdout"
            if has_losses(champion.schema.task)
            else "such answers are not more or less wrong, row by row"
        )
    elif losses is None:
        why["performance"] = "no row of the window has a label"
    if losses is not None and losses[0].rows < rules.min_rows:
        few = how_many(losses[0].rows, "row has a label", "rows have labels")
        why["performance"], losses = f"{few}, {rules.min_rows:,} are needed (min_rows)", None
    return Tested(
        columns,
        input_sides(window, champion, columns) if columns else None,
        predictions,
        losses,
        why,
        champion.rate is not None,
    )


@dataclass(frozen=True)
class Found:
    """What the tests say; against the whole reference too, where it was matched by season.

    `words` says how it was matched, or why not.
    """

    changes: Changes
    whole: Changes | None = None
    words: str = ""


def find_all(rules: Drift, tested: Tested, champion: ChampionReference, *, seed: int) -> Found:
    """Return what all families say; each has an equal share of the spec's rate.

    Where the reference is matched, and the matched rows are too few to say anything of a family,
    the whole reference says it.
    """
    ask = partial(_ask, rules, tested, span=champion.span, seed=seed)
    whole = ask({})
    matches = {
        part: match(
            sides[0].times, sides[1].times, rules.season, seed=seed, holidays=rules.holidays
        )
        for part, sides in tested.parts.items()
    }
    words = next((m.words for m in matches.values() if m.words), "")
    rows = {part: m.rows for part, m in matches.items() if m.rows is not None}
    if not rows:
        return Found(whole, None, words)
    matched = ask(rows)
    families = [
        other if one.said == "cannot_be_said" else one
        for one, other in zip(matched.families, whole.families, strict=True)
    ]
    fallen = [
        tell_family(one.family)
        for one, other in zip(matched.families, families, strict=True)
        if one is not other and other.said != "cannot_be_said"
    ]
    if fallen:
        words += (
            f" They are too few to say anything of {' and '.join(fallen)}: there the whole past"
            " is the reference."
        )
    return Found(Changes(families, matched.notes), whole, words)


def _ask(
    rules: Drift, tested: Tested, rows: Mapping[Part, Array], *, span: Span, seed: int
) -> Changes:
    """Return what all families say, against only those `rows` of the reference that are named."""
    share = rules.false_alarms / max(tested.count, 1)
    methods: dict[str, Any] = {c.name: rule_of(rules, c).method for c in tested.columns}
    found: dict[Family, FamilyChange] = {}
    notes: list[str] = []
    for part, families in _FAMILIES.items():
        if part not in tested.parts:
            for family in families:
                untold = tested.why.get(family, "there is nothing to compare")
                found[family] = say_nothing(family, share, untold)
            continue
        window, reference = tested.parts[part]
        changes = find_changes(
            window,
            reference.take(rows[part]) if part in rows else reference,
            level=share * (tested.of_inputs if part == "inputs" else 1),
            span=span,
            seed=seed,
            methods=methods,
            least=min(rules.min_rows, LEAST),
        )
        found |= {f.family: f for f in changes.families if f.family in families}
        notes += changes.notes
    return Changes(list(found.values()), notes)
