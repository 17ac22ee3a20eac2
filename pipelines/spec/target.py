"""What a spec says of the target: what is predicted, and when it is known."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from pipelines.plain_errors import Impossible, Problem
from pipelines.refs import Value
from pipelines.spec.expressions import LONGEST, Expression, judge_expression
from pipelines.spec.sources import Identifier
from pipelines.spec.units import Duration, parse_duration

DERIVED = "target"
"""What a derived target is called where the spec gives it no name."""


LONGEST_VALUE = 200
"""Characters of a class that a spec names."""


def _plain_value(value: object) -> object:
    """Return a value that a class may have. Raises ValueError for any other."""
    if value is not None and not isinstance(value, bool | int | float | str):
        msg = "must be a text, a number, or true or false"
        raise ValueError(msg)
    if isinstance(value, str) and not 0 < len(value) <= LONGEST_VALUE:
        msg = f"must have 1 to {LONGEST_VALUE} characters"
        raise ValueError(msg)
    return value


Positive = Annotated[bool | int | float | str | None, BeforeValidator(_plain_value)]


class Target(Value):
    """What is predicted, and how long after the event it is known."""

    column: Identifier = Field(
        default=DERIVED,
        description="The built column. With `expression` it is the new column's name.",
    )
    known_after: Duration = Field(
        default=parse_duration("0s"),
        description="How long after the event the outcome is known. What happened later than that"
        " before a run waits for its label: it is counted apart, and never as a negative.",
    )
    positive: Positive = Field(
        default=None,
        description="Of a binary task whose target is not boolean and not 0 and 1: the value whose"
        ' probability is predicted, such as "yes". Write texts in quotes.',
    )
    expression: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)] | None = Field(
        default=None,
        description="A derived target: one expression of SQL over the columns that `build`"
        " returns, such as `arr_delay > 15`. None of them may be an input.",
    )

    @model_validator(mode="after")
    def _check_column(self) -> Target:
        if self.expression is None and "column" not in self.model_fields_set:
            raise Impossible(
                [Problem(("column",), "missing; add it (or `expression`, for a derived target)")]
            )
        return self

    @field_validator("expression")
    @classmethod
    def _check_expression(cls, text: str | None) -> str | None:
        if text is not None:
            judge_expression(text)
        return text

    @property
    def derivation(self) -> Expression | None:
        """The judged expression of a derived target."""
        return judge_expression(self.expression) if self.expression is not None else None

    def built(self) -> dict[str, Any]:
        """Return what the built rows depend on, as JSON; what is not said is not there."""
        said = {"positive"} | ({"expression"} if self.expression is None else set())
        return self.model_dump(mode="json", exclude=said)


NO_TARGET: Final = Target.model_construct(
    column="", known_after=parse_duration("0s"), positive=None, expression=None
)
"""Stands where a model has no target, which `Spec.has_target` tells; no column has its name."""


def target_problems(target: Target, inputs: list[str], task: str) -> list[Problem]:
    """Return what is wrong with a target beside the inputs and the task."""
    faults: list[Problem] = []
    if target.positive is not None and task != "binary":
        faults.append(
            Problem(
                ("target", "positive"),
                f"belongs to a binary task, this one is {task}; remove it",
            )
        )
    derivation = target.derivation
    if derivation is None:
        return faults
    by_name = {name.lower(): name for name in inputs}
    for column in derivation.columns:
        if column.lower() in by_name:
            leak = (
                f"is made from {by_name[column.lower()]!r}, which is also an input, so the model"
                " would see the answer; take it out of features.inputs"
            )
            faults.append(Problem(("target", "expression"), leak))
        elif column.lower() == target.column.lower():
            own = f"names {column!r}, which is its own name; write another `column`"
            faults.append(Problem(("target", "expression"), own))
    return faults
