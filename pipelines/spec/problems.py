"""What is wrong with the fields of a spec beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.spec.anomaly import WordsOfAnomaly, anomaly_problems
from pipelines.spec.candidate_problems import candidate_problems
from pipelines.spec.clusters import cluster_problems
from pipelines.spec.forecast import WordsOfSeries, forecast_problems
from pipelines.spec.gate import metric_problems, named_metrics
from pipelines.spec.named_columns import WordsOfColumns, column_problems
from pipelines.spec.own_metrics import own_metric_problems
from pipelines.spec.quantile_problems import quantile_problems
from pipelines.spec.requirements import requirement_problems
from pipelines.spec.retrain import retrain_problems
from pipelines.spec.rule_problems import rule_problems
from pipelines.spec.search import spread_problems
from pipelines.spec.threshold import threshold_problems
from pipelines.spec.timing import WordsOfTime, time_problems
from pipelines.tasks import traits_of, with_article

if TYPE_CHECKING:
    from pipelines.spec.facts import SpecFacts


def spec_problems(spec: SpecFacts) -> list[Problem]:
    """Return what is wrong with the fields of a spec beside each other."""
    of_series = forecast_problems(spec.forecast, _words_of_series(spec))
    inputs = spec.features.inputs if of_series else spec.inputs
    return [
        *_missing_target(spec),
        *of_series,
        *time_problems(_words_of_time(spec)),
        *metric_problems(spec.gate, spec.task, spec.train.metric, spec.own_metrics),
        *rule_problems(spec.gate.versus_champion, spec.task, is_snapshot=spec.event_time is None),
        *own_metric_problems(spec.own_metrics, spec.train.metric, spec.drift, spec.task),
        *threshold_problems(spec.threshold, spec.task, spec.own_metrics),
        *column_problems(_words_of_columns(spec, inputs)),
        *anomaly_problems(_words_of_anomaly(spec)),
        *candidate_problems(spec.candidates, spec.task, inputs),
        *spread_problems(spec.search, [c.search for c in spec.candidates]),
        *quantile_problems(
            spec.quantiles,
            spec.task,
            spec.candidates,
            named_metrics(spec.gate, spec.train.metric),
        ),
        *requirement_problems(spec.requires),
        *retrain_problems(
            spec.retrain,
            spec.drift,
            spec.train,
            spec.task,
            has_target=spec.has_target,
            is_snapshot=spec.event_time is None,
        ),
        *cluster_problems(
            spec.candidates,
            spec.gate,
            spec.train,
            spec.own_metrics,
            spec.task,
            automl=bool(spec.automl),
        ),
    ]


def _missing_target(spec: SpecFacts) -> list[Problem]:
    """Return what is wrong with a target that is there, or is not, beside the task."""
    wanted = traits_of(spec.task).target
    if wanted == "needed" and not spec.has_target:
        return [Problem(("target",), "missing; add it")]
    if wanted == "none" and spec.has_target:
        return [Problem(("target",), f"{with_article(spec.task)} has none; remove it")]
    return []


def _words_of_anomaly(spec: SpecFacts) -> WordsOfAnomaly:
    return WordsOfAnomaly(
        task=spec.task,
        threshold=spec.threshold,
        gate=spec.gate,
        trained_by=spec.train.metric,
        candidates=spec.candidates,
        has_target=spec.has_target,
        own=list(spec.own_metrics),
        automl=bool(spec.automl),
    )


def _words_of_time(spec: SpecFacts) -> WordsOfTime:
    return WordsOfTime(
        event_time=spec.event_time,
        batch=spec.batch,
        source=spec.source,
        train=spec.train,
        drift=spec.drift,
        known_after=spec.target.known_after,
        lookback=spec.features.lookback,
        allows_empty=spec.empty_batches == "allow",
        alike=spec.alike,
        target=spec.target.column,
    )


def _words_of_series(spec: SpecFacts) -> WordsOfSeries:
    return WordsOfSeries(
        task=spec.task,
        event_time=spec.event_time,
        key=spec.key,
        target=spec.target.column,
        known_after=spec.target.known_after,
        built=spec.built_columns,
    )


def _words_of_columns(spec: SpecFacts, inputs: list[str]) -> WordsOfColumns:
    return WordsOfColumns(
        task=spec.task,
        key=spec.key,
        target=spec.target,
        features=spec.features,
        inputs=inputs,
        sample_weight=spec.train.sample_weight,
        gate=spec.gate,
        drift=spec.drift,
    )
