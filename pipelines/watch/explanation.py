"""Why a window differs, and whether that matters: what is said beside the verdict.

A broken pipe is an alarm: a person is called, and nothing is learnt from what is broken. Whatever
goes wrong here leaves the verdict as it was, and is told in a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TryAgain
from pipelines.plurals import how_many
from pipelines.science.causes.claims import with_claims
from pipelines.science.causes.naming import name_cause
from pipelines.science.causes.shapes import Shape, draw_shapes
from pipelines.science.drift import Decision
from pipelines.science.effects.naming import measure_effect
from pipelines.templates import fill
from pipelines.verdicts.explanations import cause_words, effect_words
from pipelines.watch.explained_rows import (
    asker,
    decisions_of,
    explained_sides,
    labelled_sides,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.bundle.load import OpenBundle
    from pipelines.context import Context
    from pipelines.science.causes.cause import Cause
    from pipelines.science.changes.facts import Changes
    from pipelines.science.effects.effect import Effect
    from pipelines.watch.sides import ChampionReference, Importances
    from pipelines.watch.window_rows import WindowRows

_TEMPLATE = Path(__file__).with_name("explanation.html")
_PLOTS = 4
_BAR, _HEIGHT = 14, 60


@dataclass(frozen=True)
class Explanation:
    """What is behind a window's difference, what follows from it, and the columns' shapes."""

    cause: Cause
    effect: Effect | None
    shapes: list[Shape]

    @property
    def is_broken(self) -> bool:
        """Whether a pipe is broken, so that nothing must be learnt from the window."""
        return self.cause.kind == "broken_upstream"


def explain_window(
    context: Context,
    bundle: OpenBundle,
    sample: WindowRows,
    champion: ChampionReference,
    *,
    least: int,
    changes: Changes | None = None,
    claims: Sequence[str] = (),
    importances: Importances | None = None,
) -> Explanation | str:
    """Return the explanation of a window, or in words why there is none ("" of too few rows).

    `least` are the rows of which a verdict is given, `changes` what the tests found, `claims` in
    words what answers claim less truly than they did, `importances` gives what the metric loses
    without each of the inputs.
    """
    if sample.problem or sample.window.inputs.num_rows < least:
        return ""
    try:
        return _explain(context, bundle, sample, champion, changes, claims, importances)
    except (TryAgain, MemoryError):
        raise
    except Exception as error:  # an explanation that fails must not hide the verdict
        context.log.warning("the cause could not be named", exc_info=True)
        return f"the cause of a change could not be named: {type(error).__name__}: {error}"[:500]


def _explain(
    context: Context,
    bundle: OpenBundle,
    sample: WindowRows,
    champion: ChampionReference,
    changes: Changes | None,
    claims: Sequence[str],
    importances: Importances | None,
) -> Explanation:
    seed = context.spec.train.seed
    window, reference = explained_sides(sample, champion)
    labelled = labelled_sides(sample, champion)
    cause = name_cause(window, reference, changes, labelled=labelled, seed=seed)
    cause = with_claims(cause, claims)
    effect = None
    if cause.kind != "nothing":
        known = (
            importances([c.name for c in bundle.manifest.inputs.columns]) if importances else None
        )
        effect = measure_effect(
            window,
            reference,
            labelled=labelled,
            decisions=decisions_of(sample.window, champion),
            importances=known,
            answer=asker(bundle),
            seed=seed,
        )
    named = cause.columns or ([c.name for c in effect.columns] if effect else [])
    return Explanation(cause, effect, draw_shapes(window, reference, named[:_PLOTS]))


def with_cause(decision: Decision, explanation: Explanation | str) -> Decision:
    """Return the verdict beside its cause: of a broken pipe an alarm, with the evidence as reasons.

    A window that is an alarm already keeps its verdict, and so does one that no rule calls drift
    where the sign is not sure: a policy is told of it, and learns from neither.
    """
    if (
        isinstance(explanation, str)
        or not explanation.is_broken
        or decision.verdict == "alarm"
        or (decision.verdict != "drift" and explanation.cause.sureness != "sure")
    ):
        return decision
    found = [cause_words(explanation.cause.kind, explanation.cause.detail)]
    kept = decision.reasons if decision.verdict == "drift" else []
    return Decision("alarm", [*found, *explanation.cause.evidence, *kept])


def render_explanation(explanation: Explanation | None) -> str:
    """Return the part of the page that tells cause and effect, as HTML; "" without one."""
    if explanation is None:
        return ""
    cause, effect = explanation.cause, explanation.effect
    return fill(
        _TEMPLATE,
        cause=cause,
        named=cause_words(cause.kind, cause.detail),
        columns=how_many(len(cause.columns), "column"),
        effect=effect,
        follows=effect_words(effect.follows) if effect else "",
        ranked=[c for c in effect.columns if c.shift > 0][:10] if effect else [],
        plots=[_plot(shape) for shape in explanation.shapes],
    )


def _plot(shape: Shape) -> dict[str, Any]:
    """Return where the bars of a small plot stand: two for each cell, window and training."""
    top = max([*shape.window, *shape.reference, 1e-9])
    bars = []
    for place, (name, now, then) in enumerate(
        zip(shape.cells, shape.window, shape.reference, strict=True)
    ):
        heights = [round(_HEIGHT * value / top, 1) for value in (now, then)]
        bars.append(
            {
                "x": place * (2 * _BAR + 6),
                "now": heights[0],
                "then": heights[1],
                "words": f"{name}: {now:.1%} of the window, {then:.1%} in training",
            }
        )
    return {
        "column": shape.column,
        "bars": bars,
        "width": max(len(bars) * (2 * _BAR + 6), 60),
        "height": _HEIGHT,
        "bar": _BAR,
    }
