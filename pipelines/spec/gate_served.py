"""What a spec says of how a challenger is served: its size, its speed, its memory, its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.numbers import Scalar
from pipelines.tasks import is_wide, with_article

if TYPE_CHECKING:
    from collections.abc import Sequence


class Size(Value):
    """How large a challenger may be."""

    bundle: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[kmg]$")]
    """The most that its model may take, stored and compiled: 500k, 50m, 1g."""

    @property
    def limit(self) -> int:
        """The bytes."""
        return _bytes(self.bundle)


class Latency(Value):
    """How long an answer of a real server may take, over HTTP on its own machine."""

    milliseconds: Annotated[float, Field(gt=0, le=600_000, allow_inf_nan=False)]
    """For a request for one row, from its first byte to the answer's last."""
    quantile: Annotated[float, Field(ge=0.5, le=0.99)] = 0.5
    """The share of requests that must be answered so fast: 0.5 is the middle one."""


class Memory(Value):
    """How much more memory a server may take with a challenger than without a model."""

    at_most: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[kmg]$")]
    """The most at its peak, while it answers: 500k, 50m, 1g."""

    @property
    def limit(self) -> int:
        """The bytes."""
        return _bytes(self.at_most)


class GoldenRow(Value):
    """A row that must be answered so."""

    row: dict[str, Scalar]
    """A value for each input."""
    answer: float | Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """The number that it must be given; of several classes the name of the likeliest one."""
    within: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How far off a number may be."""


def _bytes(text: str) -> int:
    return int(text[:-1]) << (10 * (1 + "kmg".index(text[-1])))


def golden_problems(golden: Sequence[GoldenRow], task: str, inputs: Sequence[str]) -> list[Problem]:
    """Return what is wrong with golden requests beside task and inputs."""
    faults: list[Problem] = []
    for place, each in enumerate(golden):
        path = ("gate", "golden", place)
        strange = [name for name in each.row if name not in inputs]
        absent = [name for name in inputs if name not in each.row]
        faults += [Problem((*path, "row", n), f"{n!r} is no input; remove it") for n in strange]
        if absent:
            faults.append(Problem((*path, "row"), f"lacks {', '.join(absent)}; add it"))
        named, wanted = isinstance(each.answer, str), is_wide(task)
        if task in {"cluster", "quantiles"}:
            faults.append(Problem(path, f"{with_article(task)} has no golden requests; remove it"))
        elif named != wanted:
            what = "the name of the likeliest class" if wanted else "a number"
            faults.append(Problem((*path, "answer"), f"must be {what} in {with_article(task)}"))
    return faults
