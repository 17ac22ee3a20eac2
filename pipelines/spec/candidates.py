"""What a spec says of its candidates: the estimators that compete, and what is searched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from pipelines.refs import Name, Value
from pipelines.spec.estimators import (
    ESTIMATORS,
    FINISHED,
    LOCKED,
    OF_FINISHED,
    OWN,
    UNKNOWN,
    VOTE,
    Encoding,
    Estimator,
    Rank,
    estimator_problem,
)
from pipelines.spec.numbers import Parameter
from pipelines.spec.quantiles import Quantiles
from pipelines.spec.search import (
    TRIALS,
    Budget,
    EarlyStopping,
    Method,
    Range,
    Trials,
    most_at_once,
)
from pipelines.spec.sources import Identifier
from pipelines.spec.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.spec.quantiles import Conformal

ONNX_FILE: Final = r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*\.onnx$"
"""A file in the model's folder or below; no name in it begins with a dot."""


Weight = Annotated[float, Field(gt=0, le=1e6)]


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

    At most `budget` settings of the space are tried, chosen by `method`.
    """

    name: Name
    """What it is called in MLflow and on the pages."""
    estimator: str = ""
    """A class that keeps scikit-learn's contract, by its import path.

    Scikit-learn's own, XGBoost's, LightGBM's, imbalanced-learn's, or another package's.
    """
    pipeline: Annotated[OwnPipeline, BeforeValidator(_named_function)] | None = None
    """In place of `estimator`: a function of the folder's `model.py`, such as `make`."""
    onnx: Annotated[str, Field(pattern=ONNX_FILE, max_length=200)] | None = None
    """In place of `estimator`: a finished model, a file in the model's folder, which is not fitted.
    """
    stack: Annotated[list[Name], Field(min_length=2, max_length=20)] | None = None
    """Candidates from whose answers `estimator` learns."""
    vote: (
        Annotated[list[Name], Field(min_length=2, max_length=20)]
        | Annotated[dict[Name, Weight], Field(min_length=2, max_length=20)]
        | None
    ) = None
    """In place of `estimator`: candidates whose mean answer counts; by name with weights, if any.
    """
    params: dict[Identifier, Parameter] = Field(default_factory=dict)
    """Parameters that are fixed: the estimator's, or by `step__parameter` a step's."""
    search: dict[
        Identifier, Annotated[list[Parameter], Field(min_length=1, max_length=100)] | Range
    ] = Field(default_factory=dict)
    """Parameters that are searched: a list of values, or a range."""
    method: Method | None = None
    """How settings are chosen; default: the whole grid if it fits the budget, else at random."""
    budget: Trials | Budget = TRIALS
    """How many settings are tried at most; or trials and minutes, below."""
    early_stopping: EarlyStopping | None = None
    """How many rounds a boosting is given is found on the newest training rows, below."""
    encode: Encoding | None = None
    """How texts are encoded; default by estimator: one-hot, or ordinal for trees."""
    steps: Steps = Field(default_factory=list)
    """Preprocessing by name, in order; what no step takes is prepared as without steps."""
    calibrate: Literal["isotonic", "sigmoid"] | None = None
    """How the probabilities are corrected, on rows later than those that were learnt from."""

    _parts: tuple[Candidate, ...] = PrivateAttr(default=())
    _in_time: bool = PrivateAttr(default=True)
    _quantiles: Quantiles | None = PrivateAttr(default=None)
    _requires: bool = PrivateAttr(default=False)
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="before")
    @classmethod
    def _name_in_place(cls, fields: Any) -> Any:
        """Give a finished model, or a vote, the one name that stands where others name an
        estimator.
        """
        if not isinstance(fields, dict) or fields.get("estimator"):
            return fields
        if fields.get("onnx"):
            return {**fields, "estimator": FINISHED}
        return {**fields, "estimator": VOTE} if fields.get("vote") else fields

    @model_validator(mode="before")
    @classmethod
    def _name_own(cls, fields: Any) -> Any:
        """Give an own pipeline a name where others name an estimator."""
        if isinstance(fields, dict) and fields.get("pipeline") and "estimator" not in fields:
            named = _named_function(fields["pipeline"])
            function = named.get("function", "") if isinstance(named, dict) else ""
            return {**fields, "estimator": f"{OWN_FILE}:{function}"}
        return fields

    @field_validator("estimator")
    @classmethod
    def _check_estimator(cls, path: str) -> str:
        own = path.startswith(f"{OWN_FILE}:")
        if path and not own and (problem := estimator_problem(path)):
            raise ValueError(problem)
        return path

    @model_validator(mode="after")
    def _check_own(self) -> Candidate:
        own = self.estimator.startswith(f"{OWN_FILE}:")
        if self.pipeline and (self.estimator != self.pipeline.shown or self.onnx or self.vote):
            msg = "`pipeline` makes the estimator; leave `estimator` out, or the other one"
            raise ValueError(msg)
        if own and self.pipeline is None:
            msg = "a function of model.py is named by `pipeline: {function: NAME}`"
            raise ValueError(msg)
        for name in ("encode", "steps", "calibrate", "stack"):
            if self.pipeline and getattr(self, name):
                msg = f"`pipeline` does all of it itself; leave `{name}` out"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_kind(self) -> Candidate:
        if not self.estimator:
            msg = (
                "`estimator` is missing; name one, a function of model.py by `pipeline`, or a"
                " finished model by `onnx: FILE`"
            )
            raise ValueError(msg)
        if (self.estimator == FINISHED) != (self.onnx is not None):
            msg = (
                "a finished model is named by `onnx: FILE`, without `estimator`"
                if self.onnx is None
                else "`onnx` is a finished model and `estimator` is fitted; keep one"
            )
            raise ValueError(msg)
        if (self.estimator == VOTE) != (self.vote is not None) or (self.vote and self.stack):
            msg = "`vote: [names]` stands alone, without `estimator` and `stack`; keep one"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_fields(self) -> Candidate:
        of_fits = ("params", "search", "encode", "steps", "calibrate", "stack")
        of_one = ("encode", "steps", "calibrate")
        for kind, names, why in (
            (self.onnx, of_fits, "`onnx` is a finished model, for which nothing is fitted"),
            (self.vote, of_one, "`vote` takes its candidates as they are prepared"),
            (self.stack, of_one, "`stack` takes its candidates as they are prepared"),
        ):
            wrong = [name for name in names if getattr(self, name)]
            if kind and wrong:
                msg = f"{why}; leave out {wrong[0]}"
                raise ValueError(msg)
        if self.encode and any(step.encodes for step in self.steps):
            msg = "`encode` says how all texts are encoded, and `steps` says it too; keep one"
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
        if self.onnx:  # others say the same wherever they lie
            self._folder = folder

    @property
    def declaration(self) -> Estimator:
        """What the catalogue says of the estimator; of an unknown one, nothing is taken for
        granted.
        """
        if self.pipeline:
            return OWN
        return OF_FINISHED if self.onnx else ESTIMATORS.get(self.estimator, UNKNOWN)

    @property
    def known(self) -> bool:
        """Whether the catalogue knows the estimator, and each of those that it is made of."""
        if self.vote or self.stack:
            return all(part.known for part in self.parts) and (
                bool(self.vote) or self.estimator in ESTIMATORS
            )
        return bool(self.onnx) or self.estimator in ESTIMATORS

    @property
    def rank(self) -> int:
        """How simple it is (see `Rank`): of equals the lowest wins; a stack is above its parts."""
        if self.vote or self.stack:
            above = max((part.rank for part in self.parts), default=Rank.NETWORK) + 1
            return max(above, Rank.NETWORK)
        return self.declaration.rank

    @property
    def limits(self) -> Budget:
        """When the search ends, as one value."""
        return self.budget if isinstance(self.budget, Budget) else Budget(trials=self.budget)

    def most_at_once(self, parallel: int) -> int:
        """Return how many of its trials can be fitted at once, where so many may be."""
        return most_at_once(self.search, self.method, self.limits, parallel)

    @property
    def encoding(self) -> Encoding:
        """How text inputs are encoded."""
        return self.encode or self.declaration.encode

    @property
    def part_names(self) -> list[str]:
        """The candidates that a stack or a vote is made of, by name."""
        return list(self.stack or self.vote or ())

    @property
    def parts(self) -> tuple[Candidate, ...]:
        """The candidates that a stack or a vote is made of; the spec gives them to it."""
        return self._parts

    @property
    def in_time(self) -> bool:
        """Whether the rows it is fitted on come in the order of time; the spec says it."""
        return self._in_time

    @property
    def quantiles(self) -> Quantiles | None:
        """The quantiles that it shall learn, where it shall; the spec says it."""
        return self._quantiles

    @property
    def conformal(self) -> Conformal | None:
        """How its quantiles are corrected, where they are; the spec says it."""
        return self._quantiles.conformal if self._quantiles else None

    def without_correction(self) -> Candidate:
        """Return the same one without that correction: for a look at few rows."""
        if self.conformal is None:
            return self
        twin = self.model_copy()
        twin._quantiles = None  # noqa: SLF001 -- its own
        return twin

    @property
    def fenced(self) -> bool:
        """Whether it is made, fitted and asked in a process of its own.

        An own pipeline, and what is not of Perennial's lock where the model requires packages.
        """
        fitted = self.estimator and self.estimator not in {FINISHED, VOTE}
        beside = self._requires and fitted and self.estimator.split(".")[0] not in LOCKED
        return bool(self.pipeline or beside or any(part.fenced for part in self.parts))

    def place(
        self,
        candidates: Sequence[Candidate],
        *,
        in_time: bool,
        requires: bool = False,
        quantiles: Quantiles | None = None,
    ) -> None:
        """Let it know its spec: the candidates that it may be made of, the rows' order, whether the
        model requires packages, and which quantiles it shall learn.
        """
        self._requires = requires
        by_name = {c.name: c for c in candidates}
        self._parts = tuple(by_name[name] for name in self.part_names)
        self._in_time = in_time
        self._quantiles = quantiles
