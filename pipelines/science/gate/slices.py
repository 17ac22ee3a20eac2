"""Is the challenger proven worse than its opponent in a slice of the rows, by more than it may be?

In each slice both are scored by the same metric, and the pieces of evidence that its rows come from
say how sure their difference is, by the jackknife and Student's t: the level is so small where many
slices are looked at that resamples would have nothing to say of it. p-values are Holm's, so that of
a challenger that breaks no slice at most 1 - confidence are refused, however many slices there are.
`benchmarks/checks.py` measures that.

Sources: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 11 (the jackknife);
Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.dependence import are_alike, widening
from pipelines.science.draws import leave_out
from pipelines.science.metrics import better_by
from pipelines.science.slices import holm
from pipelines.science.student import Student, by_student

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.science.gate.answers import TwoAnswers
    from pipelines.science.pieces import Pieces
    from pipelines.spec.gate_checks import Slices

    Array = NDArray[Any]


@dataclass(frozen=True)
class SliceRows:
    """A slice by its name, and which rows (n,) are in it."""

    name: str
    mask: Array


@dataclass(frozen=True)
class SliceFinding:
    """How both did in a slice of `rows` rows, worth `pieces` independent pieces of evidence.

    `gain` is by how much the challenger is better in the metric, below 0 where it is worse. `spare`
    is how much worse it could yet be, in the same unit; below 0 it is worse than it may be.
    `spare_low` and `spare_end` are the ends below and above which the truth lies with at most
    1 - confidence of all slices together. `p` is Holm's. `untold` says why the slice was not
    judged; then only `rows` and `pieces` are known.
    """

    name: str
    rows: int
    pieces: int
    challenger: float = float("nan")
    opponent: float = float("nan")
    gain: float = float("nan")
    spare: float = float("nan")
    spare_low: float = float("nan")
    spare_end: float = float("nan")
    p: float = 1.0
    broken: bool = False
    untold: str = ""

    @property
    def worse_by(self) -> float:
        """By which share of the opponent's value the challenger is worse; negative where better."""
        return -self.gain / abs(self.opponent) if self.opponent else float("nan")

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of `worse_by`."""
        size = abs(self.opponent) if self.opponent else float("nan")
        return (
            self.worse_by - (self.spare_end - self.spare) / size,
            self.worse_by + (self.spare - self.spare_low) / size,
        )


def judge_slices(
    answers: TwoAnswers, slices: Sequence[SliceRows], rule: Slices, metric: str
) -> list[SliceFinding]:
    """Return what each slice shows, in order."""
    weighed = [_weigh(answers, each, rule, metric) for each in slices]
    told = [student for _, student in weighed if student is not None]
    held = iter(holm([1 - _is_sure(student) for student in told]))
    level = 1 - (1 - rule.confidence) / max(len(told), 1)
    found = []
    for finding, student in weighed:
        if student is None:
            found.append(finding)
            continue
        p = next(held)
        found.append(
            replace(
                finding,
                spare_low=student.bad_end(level),
                spare_end=student.good_end(level),
                p=p,
                broken=p < 1 - rule.confidence and finding.spare < 0,
            )
        )
    return found


def _is_sure(student: Student) -> float:
    """Return how sure it is that the number is below 0."""
    return replace(student, centre=-student.centre).p_better


def _weigh(
    answers: TwoAnswers, part: SliceRows, rule: Slices, metric: str
) -> tuple[SliceFinding, Student | None]:
    """Return what a slice shows, and how sure that is; None where it is not judged."""
    rows = np.flatnonzero(part.mask)
    if len(rows) < rule.min_rows:
        return SliceFinding(part.name, len(rows), 0, untold=f"has {len(rows)} rows only"), None
    inside = answers.take(rows)
    one, other = inside.scores(metric)
    if not (isfinite(one) and isfinite(other)):
        untold = f"{metric} is not defined in it"
        return SliceFinding(part.name, len(rows), 0, untold=untold), None
    gain = float(better_by(inside.measure(metric), one, other))
    weighed = [_ask(inside, metric, rule.worse_by, pieces) for pieces in inside.pieces]
    # Where rows are alike in two ways, the one counts that is less sure.
    student, pieces = min(weighed, key=lambda pair: _is_sure(pair[0]))
    finding = SliceFinding(
        part.name, len(rows), pieces, one, other, gain, gain + rule.worse_by * abs(other)
    )
    fewest = min(count for _, count in weighed)
    if fewest < rule.min_pieces:
        return replace(finding, pieces=fewest, untold=_say_few(inside, fewest)), None
    if not isfinite(student.error):
        return replace(finding, untold=f"{metric} is not defined without each piece"), None
    return finding, student


def _say_few(inside: TwoAnswers, count: int) -> str:
    unit = inside.pieces[0].unit
    return f"is worth {count} independent {unit} only"


def _ask(inside: TwoAnswers, metric: str, share: float, pieces: Pieces) -> tuple[Student, int]:
    """Return what is to spare in the rows, and how many independent pieces say so."""
    direction = inside.measure(metric)
    scorers = inside.scorers(metric, pieces)

    def spare(found: list[Array]) -> Array:
        return np.asarray(better_by(direction, *found) + share * np.abs(found[1]))

    if pieces.count < 2:  # noqa: PLR2004 -- nothing can be left out
        return Student(0.0, float("nan"), 1), pieces.count
    whole = spare([s.of(np.ones((1, pieces.count))) for s in scorers])
    without = leave_out(scorers, spare, pieces.count)
    known = pieces.in_order and bool(np.isfinite(without).all())
    alike = known and are_alike(without)
    wider = widening(without) if known and not alike else 1.0
    student = by_student(float(whole[0]), without, alike=alike, wider=wider)
    return student, student.freedom + 1 if alike else pieces.count
