"""Changes of a stated size, made in the window of a world that is quiet else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.watching.claiming import Failure, make_claims
from benchmarks.watching.worlds import Shape, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.watching.claiming import Kind
    from pipelines.science.changes.facts import Family, Sample

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
Scene = tuple[str, int]
"""In words how rows are alike, and how many rows the window has."""
ASKED = ">= 0.9"
MOVED, TEXT, FIRST, SECOND = "x3", "x4", "x0", "x1"
_WRONG = 0.1
"""The share of wrong answers before."""


@dataclass(frozen=True)
class Shift:
    """A change, in words; the family that it belongs to; whether its power is asked for."""

    words: str
    family: Family
    make: Callable[[Columns, Array, np.random.Generator], None]
    asked: bool = False
    claims: tuple[Kind, Failure] | None = None
    """What answers claim and how that fails; None where it is their losses that change."""


def _move(size: float) -> Callable[[Columns, Array, np.random.Generator], None]:
    def change(columns: Columns, _: Array, __: np.random.Generator) -> None:
        columns[MOVED] = columns[MOVED] + size

    return change


def _widen(times: float) -> Callable[[Columns, Array, np.random.Generator], None]:
    def change(columns: Columns, _: Array, __: np.random.Generator) -> None:
        columns[MOVED] = columns[MOVED] * times**0.5

    return change


def _add_category(share: float) -> Callable[[Columns, Array, np.random.Generator], None]:
    def change(columns: Columns, _: Array, rng: np.random.Generator) -> None:
        text = columns[TEXT]
        columns[TEXT] = np.where(rng.random(len(text)) < share, "new", text).astype(object)

    return change


def _lose(share: float) -> Callable[[Columns, Array, np.random.Generator], None]:
    def change(columns: Columns, _: Array, rng: np.random.Generator) -> None:
        values = columns[MOVED]
        columns[MOVED] = np.where(rng.random(len(values)) < share, np.nan, values)

    return change


def _rotate(degrees: float) -> Callable[[Columns, Array, np.random.Generator], None]:
    def change(columns: Columns, _: Array, __: np.random.Generator) -> None:
        turn, x, y = np.deg2rad(degrees), columns[FIRST], columns[SECOND]
        columns[FIRST] = np.cos(turn) * x - np.sin(turn) * y
        columns[SECOND] = np.sin(turn) * x + np.cos(turn) * y

    return change


def _correlate(after: float) -> Callable[[Columns, Array, np.random.Generator], None]:
    def change(columns: Columns, _: Array, __: np.random.Generator) -> None:
        # The second is 0.8 of the first and 0.6 of what is its own.
        own = (columns[SECOND] - 0.8 * columns[FIRST]) / 0.6
        columns[SECOND] = after * columns[FIRST] + (1 - after**2) ** 0.5 * own

    return change


def _flip(share: float) -> Callable[[Columns, Array, np.random.Generator], None]:
    def change(_: Columns, losses: Array, rng: np.random.Generator) -> None:
        flipped = rng.random(len(losses)) < share
        losses[flipped] = 1 - losses[flipped]

    return change


def _keep(_: Columns, __: Array, ___: np.random.Generator) -> None:
    """Change no input and no loss: what fails is what answers claim."""


def _fail(
    words: str, kind: Kind, *, times: float = 1.0, moved: float = 0.0, asked: bool = False
) -> Shift:
    return Shift(words, "performance", _keep, asked, (kind, Failure(times, moved)))


CLAIM_SHIFTS: tuple[Shift, ...] = (
    _fail("log odds stated x 1.5", "probabilities", times=1 / 1.5, asked=True),
    _fail("base rate 41 to 50 %", "probabilities", moved=0.5, asked=True),
    _fail("90 % intervals cover 80 %", "intervals", times=1.645 / 1.2816, asked=True),
    _fail("log odds of three classes stated x 1.5", "classes", times=1 / 1.5, asked=True),
    _fail("values off by 0.2 of their error's deviation", "values", moved=0.2, asked=True),
    _fail("log odds stated x 1.2", "probabilities", times=1 / 1.2),
    _fail("base rate 41 to 46 %", "probabilities", moved=0.25),
    _fail("90 % intervals cover 87 %", "intervals", times=1.645 / 1.514),
    _fail("values off by 0.1 of their error's deviation", "values", moved=0.1),
)
"""Answers that claim what no longer holds."""
SHIFTS: tuple[Shift, ...] = (
    Shift("mean +0.3 sd", "inputs", _move(0.3), asked=True),
    Shift("variance x 1.5", "inputs", _widen(1.5), asked=True),
    Shift("new category 5 %", "inputs", _add_category(0.05), asked=True),
    Shift("nulls +10 points", "missing", _lose(0.1), asked=True),
    Shift("rotation by 30 degrees", "together", _rotate(30), asked=True),
    Shift("correlation 0.8 to 0", "together", _correlate(0.0), asked=True),
    Shift("labels flipped 10 %", "performance", _flip(0.1), asked=True),
    Shift("mean +0.1 sd", "inputs", _move(0.1)),
    Shift("variance x 1.2", "inputs", _widen(1.2)),
    Shift("new category 1 %", "inputs", _add_category(0.01)),
    Shift("nulls +2 points", "missing", _lose(0.02)),
    Shift("rotation by 10 degrees", "together", _rotate(10)),
    Shift("correlation 0.8 to 0.6", "together", _correlate(0.6)),
    Shift("labels flipped 3 %", "performance", _flip(0.03)),
    Shift("mean +1 sd", "inputs", _move(1.0)),
    Shift("labels flipped 30 %", "performance", _flip(0.3)),
    *CLAIM_SHIFTS,
)


def shape_of(scene: Scene) -> Shape:
    """Return how the rows of ten inputs lie."""
    words, rows = scene
    if "each row" in words:
        return Shape("rows", rows, 10, 20, 500)
    if "each day" in words:
        return Shape("days", rows, 10, 1, 250, kept=200)
    return Shape("independent", rows, 10, 1, 10)


def make_shifted(scene: Scene, shift: Shift, seed: int) -> tuple[Sample, Sample]:
    """Return a window with this change, and the reference of before."""
    rows, shape = scene[1], shape_of(scene)
    if shift.claims is not None:
        kind, failure = shift.claims
        sides = zip(make(shape, seed), make_claims(kind, shape, seed, failure), strict=True)
        window, reference = (
            replace(side, losses=own.losses, claims=own.claims) for side, own in sides
        )
        return window, reference
    rng = np.random.default_rng([seed, rows, 7])
    window, reference = (_with_labels(side, rng) for side in make(shape, seed))
    columns = dict(window.columns)
    assert window.losses is not None
    losses = window.losses.copy()
    shift.make(columns, losses, rng)
    return replace(window, columns=columns, losses=losses), reference


def _with_labels(side: Sample, rng: np.random.Generator) -> Sample:
    """Return the side with two inputs that go together, and answers of which one in ten is wrong:
    as much alike as its rows.
    """
    assert side.losses is not None
    columns = dict(side.columns)
    columns[SECOND] = 0.8 * columns[FIRST] + 0.6 * columns[SECOND]
    # The losses of a world are sizes of a normal value.
    limit = 1.6448536269514722
    del rng
    return replace(side, columns=columns, losses=(side.losses > limit).astype(float))
