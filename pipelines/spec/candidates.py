"""What a spec says of its candidates: the estimators that compete, and what is searched."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator, model_validator

from pipelines.plain_errors import Problem
from pipelines.refs import Name, Value
from pipelines.spec.estimators import ESTIMATORS, RANKS, Encoding, Estimator, Rank
from pipelines.spec.numbers import Scalar
from pipelines.spec.search import (
    TRIALS,
    Budget,
    EarlyStopping,
    Method,
    Range,
    Trials,
    search_problems,
    stopping_problems,
)
from pipelines.spec.sources import Identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.spec.tasks import Task


def _did_you_mean(word: str, names: list[str]) -> str:
    by_leaf = {name.rsplit(".", 1)[-1]: name for name in names}
    leaf = difflib.get_close_matches(word.rsplit(".", 1)[-1], by_leaf, n=1, cutoff=0.5)
    return f"; did you mean {by_leaf[leaf[0]]}?" if leaf else f"; known: {', '.join(names)}"


class Candidate(Value):
    """One estimator with fixed `params` and a `search` space.

    At most `budget` settings of the space are tried, chosen by `method`.
    """

    name: Name
    """What it is called in MLflow and on the pages."""
    estimator: str
    """An estimator of scikit-learn; a wrong name is answered with the known ones."""
    params: dict[Identifier, Scalar] = Field(default_factory=dict)
    """Parameters that are fixed."""
    search: dict[
        Identifier, Annotated[list[Scalar], Field(min_length=1, max_length=100)] | Range
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

    @field_validator("estimator")
    @classmethod
    def _check_estimator(cls, path: str) -> str:
        if path not in ESTIMATORS:
            msg = f"unknown estimator {path}{_did_you_mean(path, sorted(ESTIMATORS))}"
            raise ValueError(msg)
        return path

    @model_validator(mode="after")
    def _apart(self) -> Candidate:
        both = sorted(set(self.params) & set(self.search))
        if both:
            msg = f"{', '.join(both)} stands in both `params` and `search`; keep one"
            raise ValueError(msg)
        return self

    @property
    def declaration(self) -> Estimator:
        """What the catalogue says of the estimator."""
        return ESTIMATORS[self.estimator]

    @property
    def rank(self) -> int:
        """How simple it is (see `Rank`): of equals the lowest wins."""
        module, leaf = self.estimator.rsplit(".", 2)[-2:]
        boosting = Rank.BOOSTING if "Boosting" in leaf else Rank.FOREST
        by_module = {**RANKS, "ensemble": boosting}
        return by_module.get(module, Rank.NETWORK)

    @property
    def limits(self) -> Budget:
        """When the search ends, as one value."""
        return self.budget if isinstance(self.budget, Budget) else Budget(trials=self.budget)

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
    for place, c in enumerate(candidates):
        faults += search_problems(("candidates", place), c.search, c.method, c.limits)
        if c.early_stopping:
            faults += stopping_problems(("candidates", place), c.estimator, c.search)
    if all(c.declaration.dummy for c in candidates):
        faults.append(Problem(("candidates",), "at least one must be more than a dummy; add one"))
    return faults
