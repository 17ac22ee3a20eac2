"""Whom the challenger of a snapshot must beat, and on which of its rows they may be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.load import read_manifest
from pipelines.data.sides import groups_of, held_out, sides_of
from pipelines.errors import PerennialError, TryAgain
from pipelines.plurals import how_many
from pipelines.science.evidence import FEW
from pipelines.science.gate.facts import Opponent, compare_by
from pipelines.science.gate.rows import LEAST_HELD_OUT
from pipelines.science.gate.rules import confidence_of
from pipelines.science.refits import compare_over_folds
from pipelines.science.usable_rows import UNLABELLED
from pipelines.spec.anomaly import needs_truth
from pipelines.tasks import answers_scores
from pipelines.training.refit_rows import MOST_ROWS
from pipelines.training.targets import targets

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.context import Context
    from pipelines.ledger import Champion
    from pipelines.science.bootstrap import Comparison
    from pipelines.science.gate.facts import Judging
    from pipelines.spec import Spec
    from pipelines.training.refits import FoldScores, Refits

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FairRows:
    """Which held-out rows are new to the champion too: `mask` (n,) booleans.

    `champion_sides` tells whether that is known at all; where there is no champion it is.
    """

    mask: Array
    champion_sides: bool

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.mask.sum())


def fair_rows(context: Context, champion: Champion | None, holdout: pa.Table) -> FairRows:
    """Return which held-out rows the champion was not fitted on.

    Another seed, share or group puts other rows on the held-out side, so only what both hold out
    is fair. A champion that cannot be read says nothing; it is an incident that others tell.
    """
    everything = np.full(holdout.num_rows, fill_value=True)
    manifest = _manifest(context, champion)
    if manifest is None:
        return FairRows(everything, champion_sides=True)
    if manifest.sides is None:
        return FairRows(~everything, champion_sides=False)
    if manifest.sides == sides_of(context.spec):
        return FairRows(everything, champion_sides=True)
    if any(column not in holdout.column_names for column in manifest.sides.columns):
        return FairRows(~everything, champion_sides=False)
    mask = held_out(holdout, manifest.sides, context.spec.key)
    return FairRows(mask, champion_sides=True)


def why_folds(spec: Spec, holdout: pa.Table, fair: FairRows, rows: int) -> str:
    """Return in words why the fair rows prove nothing, so that models are fitted again over folds.

    "" where they do, or where all `rows` are too many for that.
    """
    return "" if rows > MOST_ROWS else why_too_few(spec, holdout, fair.mask)


def why_too_few(spec: Spec, holdout: pa.Table, fair: Array) -> str:
    """Return in words why the rows of the holdout that are `fair` (n,) booleans prove nothing.

    "" where they do, and where nothing needs a truth: the promise of a rate is judged on any rows.
    """
    if not needs_truth(spec.gate.versus_champion.metric):
        return ""
    noun, new = "row", "new to both" if not fair.all() else "held out"
    if answers_scores(spec.task):  # what has no label proves nothing of what a model finds
        noun, fair = "labelled row", fair & (targets(holdout, spec, None) != UNLABELLED)
    count, least = int(fair.sum()), max(spec.gate.min_rows, LEAST_HELD_OUT)
    if count < least:
        verb = "is" if count == 1 else "are"
        return f"only {how_many(count, noun)} {verb} {new}, and {least} are needed"
    # Few groups are few draws, however many rows they hold.
    groups = len(np.unique(groups_of(holdout, spec)[fair]))
    if groups < FEW:
        few = how_many(groups, "group")
        return f"the held-out rows are of {few} only, and {FEW} are needed"
    return ""


def opponent_over_folds(
    context: Context,
    refits: Refits,
    champion: Champion | None,
    challenger: FoldScores,
    judging: Judging,
) -> Opponent:
    """Return the opponent, fitted again on every fold as the challenger was.

    That is the champion; where there is none, or where it cannot be fitted again, the best
    constant. The latter is an incident.
    """

    def against(name: str, theirs: FoldScores) -> Opponent:
        sure = confidence_of(context.spec.gate, judging, of_champion=name == "champion")
        return _compare(context.spec, refits, name, (challenger, theirs), sure)

    if champion is None:
        return against("dummy", refits.constant())
    try:
        theirs = refits.champion(read_manifest(context.ports.store, champion.bundle))
    except (TryAgain, MemoryError):
        raise
    except Exception as error:
        context.log.exception("the champion %s cannot be fitted again", champion.version)
        words = f"{type(error).__name__}: {error}"[:500]
        return replace(
            against("dummy", refits.constant()),
            incident=(
                f"the champion, version {champion.version}, cannot be fitted again ({words})"
            ),
        )
    return against("champion", theirs)


def _compare(
    spec: Spec, refits: Refits, name: str, both: tuple[FoldScores, FoldScores], confidence: float
) -> Opponent:
    ours, theirs = both

    def by(metric: str) -> Comparison:
        return compare_over_folds(
            refits.measures.find(metric),
            ours.by_metric[metric],
            theirs.by_metric[metric],
            tested=refits.tested,
            freedom=refits.freedom,
            confidence=confidence,
        )

    return compare_by(spec.gate, name, by)


def _manifest(context: Context, champion: Champion | None) -> BundleManifest | None:
    """Return the champion's manifest; None where there is no champion, or it cannot be read."""
    if champion is None:
        return None
    try:
        return read_manifest(context.ports.store, champion.bundle)
    except TryAgain:
        raise
    except PerennialError:
        context.log.warning("the champion's bundle cannot be read", exc_info=True)
        return None
