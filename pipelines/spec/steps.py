"""The preprocessing that a candidate may name in `steps`: one declaration each.

`pipelines/training/step_makers.py` makes the transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from pipelines.refs import Value
from pipelines.spec.numbers import Finite
from pipelines.spec.sources import Identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["numbers", "texts", "either"]
Columns = Annotated[list[Identifier], Field(min_length=1, max_length=500)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(gt=0, lt=1)]
Range = Annotated[list[Annotated[int, Field(ge=1, le=10)]], Field(min_length=2, max_length=2)]
Part = Literal["year", "month", "day", "weekday", "hour", "minute", "yearday", "days"]


class StepBase(Value):
    """What every step says: what it is called, and which inputs it takes."""

    takes: ClassVar[Kind] = "numbers"
    """What its columns hold; `either` only where they are named."""
    encodes: ClassVar[bool] = False
    """Whether numbers come out where texts went in."""
    joint: ClassVar[bool] = False
    """Whether it sees columns together: without `columns` it takes all, after they are encoded."""
    named_only: ClassVar[bool] = False
    """Whether its columns must be named."""

    step: str
    """What it does."""
    name: Identifier | None = None
    """By which its parameters are named in `params`; default: what it does."""
    columns: Columns | None = None
    """The inputs that it takes; default: all that it fits."""


class Impute(StepBase):
    """Fill what is missing among numbers."""

    step: Literal["impute"]
    """What it does."""
    strategy: Literal["median", "mean", "most_frequent", "constant", "knn", "iterative"] = "median"
    """By what: `knn` by the nearest rows, `iterative` by the other columns."""
    fill: Finite = 0.0
    """The number of `constant`."""
    neighbors: Count = 5
    """The rows of `knn`."""
    indicator: bool = False
    """Whether columns say what was missing."""


class Scale(StepBase):
    """Bring numbers to one scale."""

    step: Literal["scale"]
    """What it does."""
    by: Literal["standard", "minmax", "robust", "maxabs", "power", "quantile", "log"] = "standard"
    """How; `log` is the logarithm of 1 + x, with the sign of x."""


class OneHot(StepBase):
    """A column for each text."""

    takes: ClassVar[Kind] = "texts"
    encodes: ClassVar[bool] = True

    step: Literal["onehot"]
    """What it does."""
    min_frequency: Count | Share | None = None
    """Rarer texts, by rows or share, become one column."""
    max_categories: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """At most so many columns; the rarest texts share one."""
    drop: Literal["first", "if_binary"] | None = None
    """Which column is left out."""


class Ordinal(StepBase):
    """A number for each text, in their order; -1 for what was never seen."""

    takes: ClassVar[Kind] = "texts"
    encodes: ClassVar[bool] = True

    step: Literal["ordinal"]
    """What it does."""
    min_frequency: Count | Share | None = None
    """Rarer texts, by rows or share, have one number."""
    max_categories: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """At most so many numbers; the rarest texts share one."""


class TargetMean(StepBase):
    """The mean of the target for each text, shrunk towards that of all.

    While it is fitted, each row is encoded by rows of other folds, so that it does not see itself.
    """

    takes: ClassVar[Kind] = "texts"
    encodes: ClassVar[bool] = True

    step: Literal["target"]
    """What it does."""
    smooth: Annotated[float, Field(ge=0, le=1e6)] | Literal["auto"] = "auto"
    """How strongly it is shrunk; `auto` by the variances."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """In how many folds the rows are encoded."""


class Tfidf(StepBase):
    """The words of each text, weighted by how rare they are (one vocabulary for each column)."""

    takes: ClassVar[Kind] = "texts"
    encodes: ClassVar[bool] = True

    step: Literal["tfidf"]
    """What it does."""
    max_features: Count | None = 5_000
    """The most frequent so many words."""
    ngram_range: Range = Field(default=[1, 1])
    """The least and the greatest number of neighbouring words that are one."""
    analyzer: Literal["word", "char", "char_wb"] = "word"
    """What a word is: words, characters, characters within words."""
    min_df: Count | Share = 1
    """Words in fewer rows (or a lesser share) are left out."""
    max_df: Share | None = None
    """Words in a greater share of the rows are left out."""
    sublinear: bool = False
    """Whether the logarithm of a word's count counts."""
    stop_words: Literal["english"] | None = None
    """Words that are left out."""


class Hash(StepBase):
    """The words of each text, by their hash: no vocabulary is kept."""

    takes: ClassVar[Kind] = "texts"
    encodes: ClassVar[bool] = True

    step: Literal["hash"]
    """What it does."""
    features: Count = 4_096
    """How many columns; words whose hashes meet share one."""
    ngram_range: Range = Field(default=[1, 1])
    """The least and the greatest number of neighbouring words that are one."""
    analyzer: Literal["word", "char", "char_wb"] = "word"
    """What a word is."""


class Dates(StepBase):
    """The parts of a date or time written as ISO 8601 (2013-04-01T12:30:00Z).

    Null where a text is none.
    """

    takes: ClassVar[Kind] = "texts"
    encodes: ClassVar[bool] = True
    named_only: ClassVar[bool] = True

    step: Literal["dates"]
    """What it does."""
    parts: Annotated[list[Part], Field(min_length=1, max_length=8)] = Field(
        default=["month", "weekday", "hour"]
    )
    """Which; `days` counts since 1970, `weekday` is 0 on Mondays."""
    cycles: bool = True
    """Whether a part that returns is a sine and a cosine, so that December lies beside January."""


class Cycles(StepBase):
    """A number that returns (an hour, a weekday, a bearing) as sine and cosine."""

    named_only: ClassVar[bool] = True

    step: Literal["cycles"]
    """What it does."""
    period: Annotated[float, Field(gt=0, le=1e12)]
    """After how much it returns: 24 for hours."""


class Bins(StepBase):
    """Numbers cut into bins."""

    step: Literal["bins"]
    """What it does."""
    count: Annotated[int, Field(ge=2, le=1_000)] = 5
    """How many."""
    by: Literal["quantile", "uniform", "kmeans"] = "quantile"
    """Where they are cut."""
    encode: Literal["onehot", "ordinal"] = "onehot"
    """A column for each bin, or the bin's number."""


class Polynomial(StepBase):
    """Products of columns."""

    takes: ClassVar[Kind] = "either"
    joint: ClassVar[bool] = True

    step: Literal["polynomial"]
    """What it does."""
    degree: Annotated[int, Field(ge=2, le=5)] = 2
    """Of how many at most."""
    interactions_only: bool = False
    """Whether no column is multiplied by itself."""


class Components(StepBase):
    """Fewer columns that keep most of the variance (of sparse columns by `svd`)."""

    takes: ClassVar[Kind] = "either"
    joint: ClassVar[bool] = True

    step: Literal["pca", "svd"]
    """What it does."""
    components: Count | Share
    """How many; for `pca` a share of the variance that they keep."""

    @model_validator(mode="after")
    def _check_share(self) -> Components:
        if self.step == "svd" and isinstance(self.components, float):
            msg = "`components` of svd is a whole number; use pca for a share of the variance"
            raise ValueError(msg)
        return self


class Select(StepBase):
    """The columns that tell most."""

    takes: ClassVar[Kind] = "either"
    joint: ClassVar[bool] = True

    step: Literal["select"]
    """What it does."""
    by: Literal["k_best", "model", "variance"] = "k_best"
    """By a test of each with the target, by the weights of a model, by their variance."""
    count: Count = 10
    """How many of `k_best` and `model`."""
    threshold: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    """The variance that a column must exceed."""


class Resample(StepBase):
    """Rows of classes drawn to equal numbers, for the fit alone: it is last, and never serves."""

    takes: ClassVar[Kind] = "either"
    joint: ClassVar[bool] = True

    step: Literal["resample"]
    """What it does."""
    by: Literal["over", "under", "smote"] = "over"
    """Rare ones again, frequent ones fewer, or rare ones made of their neighbours."""
    ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of two classes: the rarer one's rows by the other's; default 1."""


Step = Annotated[
    Impute
    | Scale
    | OneHot
    | Ordinal
    | TargetMean
    | Tfidf
    | Hash
    | Dates
    | Cycles
    | Bins
    | Polynomial
    | Components
    | Select
    | Resample,
    Field(discriminator="step"),
]
Steps = Annotated[list[Step], Field(max_length=30)]

KINDS: tuple[type[StepBase], ...] = get_args(get_args(Step)[0])
"""The steps that there are."""


def step_names(steps: Sequence[Step]) -> list[str]:
    """Return what each step is called: its `name`, or what it does, numbered where that repeats."""
    names: list[str] = []
    for step in steps:
        name, count = step.name or step.step, 1
        while name in names:
            count += 1
            name = f"{step.name or step.step}_{count}"
        names.append(name)
    return names
