"""What a spec says of the gate: what a challenger needs in order to serve."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from pipelines.errors import RequestError
from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.gate_checks import (
    Baselines,
    Fairness,
    Flips,
    Leak,
    Robustness,
    SliceOf,
    Slices,
    baseline_problems,
    fairness_problems,
    flips_problems,
    robustness_problems,
    slices_problems,
)
from pipelines.spec.gate_served import GoldenRow, Latency, Memory, Size
from pipelines.spec.metrics import ask_for, find_metric, fits, is_known, is_unknown, names_for
from pipelines.spec.numbers import Finite
from pipelines.spec.own_metrics import DECLARE_OWN
from pipelines.spec.rules import Rule
from pipelines.spec.units import Duration, parse_duration
from pipelines.tasks import with_article

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from pipelines.spec.metric import Metric
    from pipelines.spec.own_metrics import OwnMetric
    from pipelines.tasks import Task


Approver = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.@+-]+$")
]
"""The name under which somebody logs in to Airflow."""

CONFIDENCE: dict[Rule, float] = {"better": 0.95, "not_worse": 0.9, "value": 0.95}
"""How sure a comparison must be by each rule, where the spec does not say.

An old champion that stays for want of proof costs as much as a challenger that is a little worse:
`benchmarks/renewal.py` and `benchmarks/replay.py` measure both.
"""
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(days=14)


class VersusChampion(Value):
    """The challenger is held against the champion in `metric`, with at least this confidence."""

    metric: str
    """What both are compared in."""
    rule: Rule | None = None
    """`better`: proven better. `not_worse`: proven to be worse by no more than `margin`. `value`:
    proven better by `margin` or more. Default: `better` where a person starts the run, `not_worse`
    where the schedule or drift does.
    """
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """In the metric's own unit. Default: a tenth of the champion's lead over the best constant."""
    confidence: Annotated[float, Field(gt=0.5, lt=1, allow_inf_nan=False)] | None = None
    """How sure it must be. Default: 0.9 under `not_worse`, else 0.95."""
    renewal: bool | None = None
    """Whether the recipe is judged, fitted again from part to part of the held-out rows, and not
    one fit. Default: where the schedule or drift starts the run, unless the rule is `better`.
    """
    stability: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    """Of a cluster task: how alike (adjusted Rand index) the clusters must be to the champion's,
    default 0.8, so that a challenger may take over that is not proven better.
    """

    def confidence_by(self, rule: Rule) -> float:
        """Return how sure it must be by a rule."""
        return CONFIDENCE[rule] if self.confidence is None else self.confidence


class Gate(Value):
    """What a challenger needs in order to serve.

    `at_least` and `at_most` are floors and ceilings by metric.

    `guards` are further metrics in which it may be worse than its opponent by no more than a share
    of the opponent's value.
    """

    at_least: dict[str, Finite] = Field(default_factory=dict)
    """Floors by metric, whatever the opponent does."""
    at_most: dict[str, Finite] = Field(default_factory=dict)
    """Ceilings by metric."""
    versus_champion: VersusChampion
    """The comparison that decides."""
    guards: dict[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    """By metric: the share of the opponent's value by which it may be worse."""
    overlap: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    """Of an anomaly model: of the rows that it or the champion flags, the least share that both do.

    Without it the overlap is told, and decides nothing.
    """
    min_rows: Annotated[int, Field(ge=2)] = 100
    """Held-out rows with a known outcome that are needed; small data need a small number."""
    approval: Literal["none", "required"] = "none"
    """`required`: a person must say yes in Airflow before a promoted challenger is packaged."""
    approval_within: Duration = parse_duration("24h")
    """How long that is waited for; no answer by then means no."""
    approvers: Annotated[list[Approver], Field(max_length=100)] = Field(default_factory=list)
    """Who may answer: names in Airflow. Empty: whoever Airflow lets answer."""
    slices: Slices | None = None
    """Slices of the rows that must not be broken, below."""
    leak: Leak | None = None
    """Whether an input that alone nearly decides the target is asked about, below."""
    size: Size | None = None
    """How large its model may be, below."""
    latency: Latency | None = None
    """How long an answer may take, below."""
    memory: Memory | None = None
    """How much more memory a server may take with it, below."""
    golden: Annotated[list[GoldenRow], Field(max_length=50)] = Field(default_factory=list)
    """Rows that must be answered so, below."""
    fairness: Fairness | None = None
    """How differently it may decide for groups, below."""
    baselines: Baselines | None = None
    """Whom it must beat besides, below."""
    robustness: Robustness | None = None
    """How much it may lose where an input is disturbed, below."""
    flips: Flips | None = None
    """How many decisions would change, below."""

    @model_validator(mode="after")
    def _refuse_an_approval_nobody_can_give(self) -> Self:
        if not SHORTEST_WAIT <= self.approval_within <= LONGEST_WAIT:
            msg = "approval_within: an answer needs between 1m and 2w"
            raise ValueError(msg)
        if self.approvers and self.approval == "none":
            msg = "approvers: nobody is asked; write `approval: required` too"
            raise ValueError(msg)
        return self

    @property
    def asks(self) -> bool:
        """Whether a person must agree before a promoted challenger goes on."""
        return self.approval == "required"

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it names, each once."""
        named = (self.versus_champion.metric, *self.at_least, *self.at_most, *self.guards)
        return tuple(dict.fromkeys((*named, *(m for _, m in self.named_by_checks))))

    @property
    def named_by_checks(self) -> list[tuple[tuple[str, ...], str]]:
        """The metrics that further checks name, each with its place below the gate."""
        named = [
            (("slices", "metric"), self.slices.metric if self.slices else None),
            (("robustness", "metric"), self.robustness.metric if self.robustness else None),
        ]
        return [(place, metric) for place, metric in named if metric is not None]

    @property
    def has_further_checks(self) -> bool:
        """Whether it asks for any check of `gate_checks`."""
        asked = (
            self.slices,
            self.leak,
            self.size,
            self.latency,
            self.memory,
            self.golden,
            self.fairness,
            self.flips,
            self.baselines,
            self.robustness,
        )
        return any(asked)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that further checks look at, each once; `build` must return them."""
        found = [c for _, each in self._slices_by for c in each.columns]
        found += [self.fairness.by] if self.fairness else []
        return tuple(dict.fromkeys(found))

    @property
    def columns_shown(self) -> tuple[str, ...]:
        """Those of them whose values stand on the verdict's page."""
        shown = [each.column for _, each in self._slices_by]
        shown += [self.fairness.by] if self.fairness else []
        return tuple(c for c in shown if c is not None)

    @property
    def _slices_by(self) -> list[tuple[tuple[str | int, ...], SliceOf]]:
        """The slices that are named, each with its place."""
        named = (("slices", self.slices), ("flips", self.flips))
        return [
            (("gate", key, "by", place), each)
            for key, check in named
            if check is not None
            for place, each in enumerate(check.by)
        ]

    def place_of(self, column: str) -> tuple[str | int, ...]:
        """Return where in the spec a further check names a column; empty where none does."""
        places = [(place, each.columns) for place, each in self._slices_by]
        if self.fairness:
            places.append((("gate", "fairness", "by"), (self.fairness.by,)))
        return next((place for place, columns in places if column in columns), ())


def named_metrics(gate: Gate, trained_by: str) -> list[tuple[tuple[str, ...], str]]:
    """Return the metrics that training and gate name, each with its place in the spec."""
    return [
        (("train", "metric"), trained_by),
        (("gate", "versus_champion", "metric"), gate.versus_champion.metric),
        *((("gate", "at_least", m), m) for m in gate.at_least),
        *((("gate", "at_most", m), m) for m in gate.at_most),
        *((("gate", "guards", m), m) for m in gate.guards),
        *((("gate", *place), m) for place, m in gate.named_by_checks),
    ]


def metric_problems(
    gate: Gate, task: Task, trained_by: str, own: Mapping[str, OwnMetric]
) -> list[Problem]:
    """Return what is wrong with the metrics that gate and training name.

    `own` are those of the model's own, by name.
    """
    named = dict.fromkeys((trained_by, *gate.metrics))
    catalogue = {m: find_metric(m) for m in named if is_known(m)}
    known: dict[str, Metric | OwnMetric] = {**catalogue, **own}
    mentions = named_metrics(gate, trained_by)
    faults = [
        Problem(path, _say_wrong(m, task, own))
        for path, m in mentions
        if m not in own and not fits(m, task)
    ]
    if task != "quantiles":  # whose metrics say why at their levels
        faults += [
            Problem(path, f"{m} is best for a model that says nothing; give it a bound in at_most")
            for path, m in mentions
            if (path[-1] == "metric" or "guards" in path)
            and m in catalogue
            and not catalogue[m].decides
        ]
    faults += [
        Problem(("gate", "at_least", m), "is better when smaller; put it under at_most")
        for m in gate.at_least
        if m in known and not known[m].greater_is_better
    ]
    faults += [
        Problem(("gate", "at_most", m), "is better when greater; put it under at_least")
        for m in gate.at_most
        if m in known and known[m].greater_is_better
    ]
    decides = gate.versus_champion.metric
    if decides in gate.guards:
        faults.append(
            Problem(
                ("gate", "guards", decides),
                "decides in versus_champion already; name another metric",
            )
        )
    if not gate.at_least and not gate.at_most:
        none = (
            "name at least one floor (at_least) or ceiling (at_most); a gate without a threshold"
            " refuses everything"
        )
        faults.append(Problem(("gate",), none))
    return [
        *faults,
        *slices_problems(gate.slices, task),
        *fairness_problems(gate.fairness, task),
        *flips_problems(gate.flips, task),
        *baseline_problems(gate.baselines, task),
        *robustness_problems(gate.robustness, task),
    ]


def _say_wrong(metric: str, task: Task, own: Mapping[str, OwnMetric]) -> str:
    """Return in words why a metric cannot be named, and which can."""
    choices = ", ".join((*own, *names_for(task)))
    try:
        find_metric(metric)
    except RequestError as error:
        if not is_unknown(metric):
            return f"{error.message} {error.remedy}".rstrip(".")
        return f"{error.message} {ask_for(metric)}A {task} task has {choices}. {DECLARE_OWN}"
    return f"{metric!r} does not fit {with_article(task)}; use one of {choices}"
