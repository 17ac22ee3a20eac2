"""The fields of `model.yaml`, each as it is written there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from pipelines.intervals import BatchKind
from pipelines.refs import Name, Value
from pipelines.spec.alike import Alike
from pipelines.spec.automl import AutoML
from pipelines.spec.candidates import Candidate
from pipelines.spec.deploy import Deploy
from pipelines.spec.drift import Drift
from pipelines.spec.features import Features
from pipelines.spec.forecast import Forecast
from pipelines.spec.gate import Gate
from pipelines.spec.own_metrics import OwnMetrics
from pipelines.spec.prove import Prove
from pipelines.spec.quantiles import QuantileBlock
from pipelines.spec.requirements import Requirements
from pipelines.spec.resources import Resources
from pipelines.spec.retrain import Retrain
from pipelines.spec.search import Search
from pipelines.spec.sources import Identifier, Source
from pipelines.spec.target import Target
from pipelines.spec.threshold import Threshold
from pipelines.spec.train import Train
from pipelines.tasks import Task

SPEC_VERSION: Literal[1] = 1


def _without_controls(text: str) -> str:
    """Return the text if every database and page takes its characters.

    Raises ValueError where it holds others, such as NUL.
    """
    wrong = [c for c in text if not c.isprintable() and c not in "\n\t"]
    if wrong:
        msg = f"holds the character {wrong[0]!a}, which cannot be shown; remove it"
        raise ValueError(msg)
    return text


Text = Annotated[
    str, StringConstraints(min_length=1, max_length=500), AfterValidator(_without_controls)
]


Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
]


def _each_once(tags: list[str]) -> list[str]:
    """Return the tags. Raises ValueError where one stands twice."""
    twice = [tag for number, tag in enumerate(tags) if tag in tags[:number]]
    if twice:
        msg = f"holds {twice[0]!r} twice; remove one"
        raise ValueError(msg)
    return tags


KeyColumns = Annotated[list[Identifier], Field(min_length=1, max_length=10)]


def _list_or_row(value: object) -> object:
    """Return what may be a key. Raises ValueError in words for any other form."""
    if value != "row" and not isinstance(value, list):
        msg = "must be a list of columns such as [customer, seen_at], or `row`"
        raise ValueError(msg)
    return value


Key = Annotated[Literal["row"] | KeyColumns, BeforeValidator(_list_or_row)]


class SpecFields(Value):
    """The fields of one model, each checked for itself."""

    model_config = ConfigDict(serialize_by_alias=True)

    version: Literal[1] = SPEC_VERSION
    """The format of this file."""
    name: Name
    """The folder's name."""
    owner: Text
    """Who is asked when it breaks; a tag in Airflow."""
    description: Text
    """What it predicts, in a sentence."""
    tags: Annotated[list[Tag], Field(max_length=20), AfterValidator(_each_once)] = Field(
        default_factory=list
    )
    """By what the model is found among others, such as `[pricing, germany]`; tags in Airflow too.
    """
    requires: Requirements = Field(default_factory=list)
    """Packages beside Perennial's lock, each with its version: `catboost==1.2.8`."""
    task: Task
    """What kind of answer is learnt."""
    source: Source
    """Where raw rows come from; four kinds, below."""
    batch: BatchKind | None = None
    """How raw rows are cut by time; left out exactly where there is no `event_time`."""
    empty_batches: Literal["refuse", "allow"] = "refuse"
    """Whether a batch without rows breaks its expectations, or is told as a warning and left out.
    """
    event_time: Identifier | None = None
    """The built column that says when a row happened.

    Without one the source is a snapshot: read whole, known by its content.
    """
    declared_key: Key = Field(
        alias="key",
        description="The columns that together name a row; the event time may be one of them."
        " `row`: Perennial makes the column row_key, which `build` passes on.",
    )
    declared_target: Target | None = Field(
        default=None,
        alias="target",
        description="What is predicted; left out where a task has none.",
    )
    features: Features
    """What the model sees."""
    forecast: Forecast | None = None
    """Of a forecast: its series, and what is made of their past, below."""
    train: Train
    """What it learns from, and how settings are compared."""
    alike: Alike = Alike()
    """Which rows are one piece of evidence: by themselves all of a day, below."""
    own_metrics: OwnMetrics = Field(
        default_factory=dict,
        alias="metrics",
        description="The model's own metrics by name, computed by functions in metrics.py.",
    )
    threshold: Threshold | None = None
    """Above which probability a binary model decides for the positive class.

    A number, or `{for: METRIC}`; without it 0.5, and the server answers with probabilities only.
    Of an anomaly model `{rate: 0.01}`, the share of rows that is flagged.
    """
    quantiles: QuantileBlock = None
    """Of the task quantiles: the levels, such as `[0.05, 0.5, 0.95]`, or keys and values, below."""
    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=20)]
    """The estimators that compete."""
    automl: bool | AutoML = False
    """Whether Perennial adds candidates that suit the task, and within which budget, below."""
    search: Search = Search()
    """How many trials of a search are fitted at once, below."""
    gate: Gate
    """What a challenger needs in order to serve."""
    drift: Drift | None = None
    """When and how drift is looked for; without it there is no drift DAG."""
    retrain: Retrain | None = None
    """Which windows start a retraining, and what holds one back; default: those that have drifted.
    """
    prove: Prove = Prove()
    """When the champion is built again, to see that it comes out equal."""
    deploy: Deploy = Deploy()
    """How a champion takes over."""
    resources: Resources = Resources()
    """What a step's container may use."""

    @field_validator("declared_target", mode="before")
    @classmethod
    def _refuse_null(cls, target: object) -> object:
        if target is None:
            msg = "must be a mapping such as {column: churned}"
            raise ValueError(msg)
        return target
