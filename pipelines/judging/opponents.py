"""Whom the challenger must beat on the held-out rows: the champion, or who stands in for it.

A champion that cannot answer would lock every successor out, and must not be replaced unseen: it is
an incident that the verdict names, and the floors and guards of the gate hold as ever. A service
that is away, or memory that runs out, is no fault of the champion's: it is an error, and may be
retried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.bundle.load import open_bundle
from pipelines.bundle.rows import feed_from_table
from pipelines.classes import translate_classes, widen
from pipelines.errors import BadData, TryAgain
from pipelines.judging.pairs import Pair, compare_pair, measure_lead
from pipelines.levels import take_levels
from pipelines.science.anomaly import agreement
from pipelines.science.gate.rules import confidence_of
from pipelines.science.usable_rows import count_unfit
from pipelines.tasks import (
    answers_scores,
    is_wide,
    learns_named_classes,
    stand_in_of,
    with_article,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.ledger import Champion
    from pipelines.science.gate.facts import Judging, Opponent
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def compare_with_opponent(
    context: Context, answers: Answers, champion: Champion | None, judging: Judging
) -> Opponent:
    """Compare with the champion, as sure as the rule asks by which the challenger is judged.

    Where there is none, or where it cannot answer, with the best constant (of a forecast with the
    seasonal naive one). Each model decides at its own threshold.
    """
    if champion is None:
        return _compare_with_constant(context, answers, judging)
    try:
        theirs = _ask_champion(context, champion, answers.rows)
    except (TryAgain, MemoryError):
        raise
    except Exception as error:
        context.log.exception("the champion %s cannot answer", champion.version)
        fault = f"{type(error).__name__}: {error}"[:500]
    else:
        fault = theirs.fault
        if not fault:
            sure = confidence_of(context.spec.gate, judging, of_champion=True)
            return _compare_with_champion(context, answers, theirs, sure)
    incident = f"the champion, version {champion.version}, cannot answer ({fault})"
    return replace(_compare_with_constant(context, answers, judging), incident=incident)


def pair_with_opponent(
    context: Context, answers: Answers, champion: Champion | None
) -> tuple[str, Pair]:
    """Return the name of the opponent with whom `compare_with_opponent` compares, and both models'
    answers to the rows.
    """
    if champion is not None:
        try:
            theirs = _ask_champion(context, champion, answers.rows)
        except (TryAgain, MemoryError):
            raise
        except Exception:  # an incident, which the comparison names
            context.log.warning("the champion %s cannot answer", champion.version, exc_info=True)
        else:
            if not theirs.fault:
                return "champion", _pair_up(answers, theirs, context.spec)
    return stand_in_of(context.spec.task), _pair_with_constant(answers)


@dataclass(frozen=True)
class _ChampionAnswers:
    """What the champion of a manifest answers: (n, k), as it is served."""

    manifest: BundleManifest
    values: Array

    @property
    def fault(self) -> str:
        """Why they may not be served, in words; empty where they may."""
        wrong = count_unfit(self.values, self.manifest.inputs.task)
        if not wrong:
            return ""
        return f"{wrong} of its {len(self.values)} answers are no numbers that may be served"


def _ask_champion(context: Context, champion: Champion, rows: pa.Table) -> _ChampionAnswers:
    """Return the champion's answers to the rows, of quantiles at the spec's levels.

    Raises BadData where it does another task, or does not answer at one of the levels.
    """
    spec = context.spec
    bundle = open_bundle(context.ports.store, champion.bundle, context.settings)
    inputs = bundle.manifest.inputs
    if inputs.task != spec.task:
        raise BadData(f"it does {with_article(inputs.task)}, the spec asks for {spec.task}")
    values = bundle.predictor.predict_feed(feed_from_table(inputs.columns, rows))
    values = take_levels(values, inputs.levels or [], spec.levels)
    return _ChampionAnswers(bundle.manifest, values)


def _compare_with_champion(
    context: Context, answers: Answers, theirs: _ChampionAnswers, confidence: float
) -> Opponent:
    manifest = theirs.manifest
    pair = _pair_up(answers, theirs, context.spec)
    return replace(
        compare_pair(context, "champion", pair, confidence),
        fitted_on=manifest.fitted_on,
        lead=measure_lead(context, pair, _constant_in(answers, pair)),
        agreement=(
            agreement(pair.ours, pair.theirs, answers.threshold, manifest.threshold_value)
            if answers_scores(manifest.inputs.task)
            else None
        ),
    )


def _constant_in(answers: Answers, pair: Pair) -> Array:
    """Return the best constant's answers in the columns of the pair."""
    if pair.classes is None or pair.classes == answers.classes:
        return answers.constant
    return widen(answers.constant, answers.classes or [], pair.classes)


def _pair_up(answers: Answers, theirs: _ChampionAnswers, spec: Spec) -> Pair:
    """Return both models' answers in the same columns: of named classes those of either model."""
    inputs = theirs.manifest.inputs
    if not learns_named_classes(inputs.task):
        return Pair(
            rows=answers.rows,
            ours=answers.own,
            theirs=theirs.values if is_wide(inputs.task) else theirs.values[:, 0],
            classes=None,
            threshold=answers.threshold,
            their_threshold=theirs.manifest.threshold_value,
            rises=answers.parts > 0,
        )
    own = answers.classes or []
    labels = answers.rows.schema.field(spec.target.column).type
    others = translate_classes(inputs.classes or [], own, labels)
    classes = sorted({*own, *others})
    return Pair(
        rows=answers.rows,
        ours=widen(answers.own, own, classes),
        theirs=widen(theirs.values, others, classes),
        classes=classes,
        threshold=answers.threshold,
        their_threshold=theirs.manifest.threshold_value,
        rises=answers.parts > 0,
    )


def _compare_with_constant(context: Context, answers: Answers, judging: Judging) -> Opponent:
    """Compare with the best constant, which has no threshold of its own."""
    sure = confidence_of(context.spec.gate, judging, of_champion=False)
    return compare_pair(context, stand_in_of(context.spec.task), _pair_with_constant(answers), sure)


def _pair_with_constant(answers: Answers) -> Pair:
    return Pair(answers.rows, answers.own, answers.constant, answers.classes, answers.threshold)
