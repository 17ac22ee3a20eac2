"""What a spec says of its candidates: the estimators that compete, and what is searched."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from pipelines.plain_errors import Problem
from pipelines.refs import Name, Value
from pipelines.spec.estimators import ESTIMATORS, FINISHED, OF_FINISHED, OWN, Encoding, Estimator
from pipelines.spec.numbers import Finite, Scalar
from pipelines.spec.sources import Identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.spec.tasks import Task

ONNX_FILE: Final = r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*\.onnx$"
"""A file in the model's folder or below; no name in it begins with a dot."""


def _did_you_mean(word: str, names: list[str]) -> str:
    by_leaf = {name.rsplit(".", 1)[-1]: name for name in names}
    leaf = difflib.get_close_matches(word.rsplit(".", 1)[-1], by_leaf, n=1, cutoff=0.5)
    return f"; did you mean {by_leaf[leaf[0]]}?" if leaf else f"; known: {', '.join(names)}"


class Range(Value):
    """A continuous range to draw a parameter from."""

    low: Finite
    """The least value."""
    high: Finite
    """The greatest value."""
    log: bool = False
    """Whether small values are as likely as great ones, by their logarithm."""

    @model_validator(mode="after")
    def _check_order(self) -> Range:
        if not self.low < self.high:
            msg = "`low` must lie below `high`"
            raise ValueError(msg)
        if self.log and self.low <= 0:
            msg = "a log range must start above 0"
            raise ValueError(msg)
        return self


class OwnPipeline(Value):
    """A pipeline that the model's own code makes."""

    function: Identifier
    """The function of `model.py` that returns an estimator or a pipeline."""

    @property
    def shown(self) -> str:
        """What stands in the place of an estimator's name."""
        return f"{OWN_FILE}:{self.function}"


OWN_FILE = "model.py"


def _named_function(value: Any) -> Any:
    """Return the short form, a function's name, as the long one."""
    return {"function": value} if isinstance(value, str) else value


class Candidate(Value):
    """One estimator with fixed `params` and a `search` space.

    At most `budget` settings of the space are tried.
    """

    name: Name
    """What it is called in MLflow and on the pages."""
    estimator: str = ""
    """An estimator of scikit-learn; a wrong name is answered with the known ones."""
    onnx: Annotated[str, Field(pattern=ONNX_FILE, max_length=200)] | None = None
    """In place of `estimator`: a finished model, a file in the model's folder, which is not fitted.
    """
    pipeline: Annotated[OwnPipeline, BeforeValidator(_named_function)] | None = None
    """In place of `estimator`: a function of the folder's `model.py`, such as `make`."""
    params: dict[Identifier, Scalar] = Field(default_factory=dict)
    """Parameters that are fixed."""
    search: dict[
        Identifier, Annotated[list[Scalar], Field(min_length=1, max_length=100)] | Range
    ] = Field(default_factory=dict)
    """Parameters that are searched: a list of values, or a range."""
    budget: Annotated[int, Field(ge=1, le=1_000)] = 20
    """How many settings are tried at most."""
    encode: Encoding | None = None
    """How texts are encoded; default by estimator: one-hot, or ordinal for trees."""

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="before")
    @classmethod
    def _name_in_place(cls, fields: Any) -> Any:
        """Give a finished model, or an own pipeline, a name where others name an estimator."""
        if not isinstance(fields, dict) or fields.get("estimator"):
            return fields
        if fields.get("onnx"):
            return {**fields, "estimator": FINISHED}
        if fields.get("pipeline"):
            named = _named_function(fields["pipeline"])
            function = named.get("function", "") if isinstance(named, dict) else ""
            return {**fields, "estimator": f"{OWN_FILE}:{function}"}
        return fields

    @field_validator("estimator")
    @classmethod
    def _check_estimator(cls, path: str) -> str:
        own = path.startswith(f"{OWN_FILE}:")
        if path and path not in ESTIMATORS and path != FINISHED and not own:
            msg = f"unknown estimator {path}{_did_you_mean(path, sorted(ESTIMATORS))}"
            raise ValueError(msg)
        return path

    @model_validator(mode="after")
    def _check_kind(self) -> Candidate:
        if not self.estimator:
            msg = (
                "`estimator` is missing; name one, a function of model.py by `pipeline`, or a"
                " finished model by `onnx: FILE`"
            )
            raise ValueError(msg)
        if self.pipeline and self.onnx:
            msg = "`pipeline` and `onnx` are two models; keep one"
            raise ValueError(msg)
        if self.pipeline and self.estimator != self.pipeline.shown:
            msg = "`pipeline` makes the estimator; leave `estimator` out, or the other one"
            raise ValueError(msg)
        if self.estimator.startswith(f"{OWN_FILE}:") and self.pipeline is None:
            msg = "a function of model.py is named by `pipeline: {function: NAME}`"
            raise ValueError(msg)
        if (self.estimator == FINISHED) != (self.onnx is not None):
            msg = (
                "a finished model is named by `onnx: FILE`, without `estimator`"
                if self.onnx is None
                else "`onnx` is a finished model and `estimator` is fitted; keep one"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_fields(self) -> Candidate:
        of_fits = [name for name in ("params", "search", "encode") if getattr(self, name)]
        if self.onnx and of_fits:
            msg = f"`onnx` is a finished model, for which nothing is fitted; leave out {of_fits[0]}"
            raise ValueError(msg)
        if self.pipeline and self.encode:
            msg = "`pipeline` encodes its texts itself; leave `encode` out"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _apart(self) -> Candidate:
        both = sorted(set(self.params) & set(self.search))
        if both:
            msg = f"{', '.join(both)} stands in both `params` and `search`; keep one"
            raise ValueError(msg)
        return self

    @property
    def folder(self) -> Path:
        """The model's folder, where a finished model lies; the spec's reader says which it is."""
        return self._folder

    def locate(self, folder: Path) -> None:
        """Let it know the folder that its spec was read from."""
        self._folder = folder

    @property
    def declaration(self) -> Estimator:
        """What the catalogue says of the estimator."""
        if self.onnx:
            return OF_FINISHED
        return OWN if self.pipeline else ESTIMATORS[self.estimator]

    @property
    def encoding(self) -> Encoding:
        """How text inputs are encoded."""
        return self.encode or self.declaration.encode


def candidate_problems(candidates: Sequence[Candidate], task: Task) -> list[Problem]:
    """Return what is wrong with the candidates together, and beside the task."""
    names = [c.name for c in candidates]
    faults = [
        Problem(("candidates", names.index(n), "name"), f"the name {n!r} stands twice; rename one")
        for n in sorted({n for n in names if names.count(n) > 1})
    ]
    faults += [
        Problem(
            ("candidates", place, "estimator"),
            f"{c.estimator} of {c.name} cannot do a {task} task; choose another one",
        )
        for place, c in enumerate(candidates)
        if task not in c.declaration.tasks
    ]
    if all(c.declaration.dummy for c in candidates):
        faults.append(Problem(("candidates",), "at least one must be more than a dummy; add one"))
    return faults
