"""The page of a retraining: its candidates side by side, complete in itself, everything escaped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.comparison import answer_plots, forecast_plots, level_plots, trial_plots
from pipelines.comparison.attribution import Attribution
from pipelines.comparison.cluster_plots import cluster_drawings
from pipelines.comparison.retraining import BEESWARM_ROWS, CONFIDENCE
from pipelines.comparison.threshold_curves import threshold_curves
from pipelines.levels import middle
from pipelines.profiling.words import short
from pipelines.science.decision_threshold import choose_threshold
from pipelines.spec.threshold import ThresholdFor
from pipelines.tasks import answers_scores, classifies, finds_classes
from pipelines.templates import fill
from pipelines.training.decision_threshold import threshold_of

if TYPE_CHECKING:
    from pipelines.comparison.judged import Judged
    from pipelines.comparison.retraining import CandidateLook, Retraining
    from pipelines.science.bootstrap import Spread

    Array = np.ndarray[Any, Any]

_TEMPLATE = Path(__file__).with_name("page.html")
_LONGEST = 60
_PARAMETERS = 6


@dataclass(frozen=True)
class Drawing:
    """A drawing, what stands below it, and the names of its lines by colour."""

    svg: str
    words: str
    lines: list[str] = field(default_factory=list)


def render(retraining: Retraining) -> str:
    """Return the page; the same figures give the same page."""
    judged, spec = retraining.judged, retraining.judged.spec
    trials = [t for c in retraining.candidates for t in c.trials if not c.dummy]
    names = [c.name for c in retraining.candidates if not c.dummy]
    return fill(
        _TEMPLATE,
        title=f"Candidates of {spec.name}",
        spec=spec,
        run=retraining.run,
        rows_train=len(judged.y),
        rows_holdout=len(judged.truth),
        verdict=retraining.verdict,
        metric=spec.train.metric,
        metrics=_metrics_in_order(retraining),
        units={m: spec.unit_of(m) for m in spec.own_metrics},
        candidates=[_candidate(retraining, c) for c in retraining.candidates],
        trials=len(trials),
        unscored=sum(t.score is None for t in trials),
        against_seconds=trial_plots.against_seconds(trials, spec.train.metric),
        legend=[(n, trial_plots.candidate_colour(i)) for i, n in enumerate(names)],
        confidence=round(100 * (2 * CONFIDENCE - 1)),
        unit=judged.pieces.unit,
        skipped=retraining.skipped,
        seconds=f"{retraining.seconds:g}",
        beeswarm=BEESWARM_ROWS,
        hidden=[(short(n, _LONGEST), why) for n, why in judged.hidden.items()],
    )


def _metrics_in_order(retraining: Retraining) -> list[str]:
    """Return the metrics of the holdout, those first by which the model is chosen and judged."""
    spec = retraining.judged.spec
    first = [spec.train.metric, spec.gate.versus_champion.metric]
    known = list(retraining.candidates[0].metrics) if retraining.candidates else []
    return sorted(known, key=lambda m: first.index(m) if m in first else len(first))


def _candidate(retraining: Retraining, look: CandidateLook) -> dict[str, Any]:
    judged, metric = retraining.judged, retraining.judged.spec.train.metric
    result, drawn = look.result, look.slices is not None or _answers_without_truth(judged, look)
    found = [t for t in look.trials if t.chosen]
    names = list(dict.fromkeys(n for t in look.trials for n in t.params))
    return {
        "name": look.name,
        "estimator": result.estimator,
        "dummy": look.dummy,
        "chosen": look.name == retraining.chosen,
        "cv": _figure(result.cv_score),
        "spread": _figure(found[0].spread) if found and found[0].spread is not None else "",
        "nested": _figure(result.cv_nested) if result.cv_nested is not None else "",
        "nested_spread": _figure(result.cv_nested_spread),
        "cut_off": result.search_ended_by == "minutes",
        "seconds": f"{result.seconds:,.1f}",
        "settings": result.settings_tried,
        "workers": len({trial.worker for trial in look.trials}),
        "params": ", ".join(
            f"{short(k, 40)} {short(trial_plots.parameter_text(v), 40)}"
            for k, v in result.params.items()
        ),
        "intervals": {m: _interval(s) for m, s in look.intervals.items()},
        "looked_at": drawn,
        "failed": look.failed,
        "parallel": trial_plots.parallel_coordinates(look.trials, metric),
        "parameters": [
            plot
            for n in names[:_PARAMETERS]
            if len({str(t.params.get(n)) for t in look.trials}) > 1
            and (plot := trial_plots.against_parameter(look.trials, n, metric))
        ],
        "learning": answer_plots.learning(look.learning, metric) if look.learning else "",
        "learning_note": look.learning.note if look.learning else "",
        "answers": _answers(judged, look) if drawn else [],
        "origins": look.origins,
        "origins_plot": forecast_plots.errors_by_origin(look.origins),
        "origins_lines": forecast_plots.LINES,
        "importance": look.importance,
        "importance_plot": answer_plots.importances(look.importance, metric)
        if look.importance
        else "",
        **_attribution(look),
        "slices": _slices(look),
        "looked_at_slices": look.slices,
        "worst": look.worst,
    }


def _answers_without_truth(judged: Judged, look: CandidateLook) -> bool:
    """Tell whether there are answers to draw of which nobody knows the errors: without a target."""
    said = look.answers
    if look.dummy or said is None or judged.spec.has_target:
        return False
    return bool(np.isfinite(said).all())


def _attribution(look: CandidateLook) -> dict[str, Any]:
    found = look.attribution
    if isinstance(found, Attribution):
        plot = answer_plots.attributions(found, look.attribution_rows)
        return {"attribution": plot, "attribution_words": found.method, "off": f"{found.off:.1g}"}
    return {"attribution": "", "attribution_words": found.why if found else "", "off": ""}


def _of_scores(y: Array, p: Array, threshold: float) -> list[Drawing]:
    told = "; the dots are known anomalies" if (y == 1).any() else ""
    flagged = int((p > threshold).sum())
    return [
        Drawing(
            answer_plots.score_histogram(y, p, threshold, "scores"),
            f"rows by their score: right of the line ({threshold:.4g}) they are flagged,"
            f" {flagged:,} of {len(p):,} ({flagged / len(p):.2%}){told}",
        )
    ]


def _answers(judged: Judged, look: CandidateLook) -> list[Drawing]:
    """Return the drawings of a candidate's answers by task."""
    y, p = judged.truth, look.answers
    if p is None:
        return []
    if finds_classes(judged.spec.task):
        return [Drawing(*drawn) for drawn in cluster_drawings(judged.measures, p)]
    if answers_scores(judged.spec.task):
        return _of_scores(y, p, threshold_of(look.result.threshold))
    if not classifies(judged.spec.task):
        return (_of_levels if judged.spec.levels else _of_values)(judged, p)
    if judged.classes:
        return _of_classes(judged, judged.classes, p)
    names = list(judged.schema.binary_classes or ("0", "1"))
    at_threshold = threshold_of(look.result.threshold)
    table = answer_plots.confusion_table(y, p > at_threshold, 2)
    at, curves = threshold_curves(y, p)
    return [
        Drawing(
            answer_plots.calibration_plot(y, p, "calibration"),
            "calibration, in tenths of the rows (95 %)",
        ),
        Drawing(
            answer_plots.confusion(table, names, "confusion"),
            f"at a threshold of {at_threshold:g}: truth down, prediction across",
        ),
        Drawing(
            answer_plots.thresholds(curves, at, at_threshold, "metrics by threshold"),
            "by the threshold above which a row counts as positive",
            list(curves),
        ),
        *_by_threshold(judged, p, at_threshold),
    ]


def _of_levels(judged: Judged, p: Array) -> list[Drawing]:
    y, levels = judged.truth, judged.spec.levels
    in_time = judged.times is not None
    order = np.argsort(judged.times if judged.times is not None else middle(p, levels))
    return [
        Drawing(
            level_plots.reliability(y, p, levels, "reliability"),
            "the share of outcomes below each level (95 %, rows taken as independent)",
        ),
        Drawing(
            level_plots.fan(y, p, levels, order, "fan"),
            f"outcomes and levels in the order of {'time' if in_time else 'the median'};"
            " what lies outside is drawn bold",
        ),
        *_of_values(judged, middle(p, levels)),
    ]


def _by_threshold(judged: Judged, p: Array, threshold: float) -> list[Drawing]:
    """Return what becomes of the model's own metrics, and of the one that the threshold is chosen
    for, as the threshold moves.
    """
    spec = judged.spec
    names = [n for n, metric in judged.measures.own.items() if metric.by_decision is not None]
    if isinstance(spec.threshold, ThresholdFor):
        names = list(dict.fromkeys([spec.threshold.metric, *names]))
    drawings = []
    for name in names:
        curve = choose_threshold(judged.measures.find(name), judged.truth, p)
        if curve is None:
            continue
        title = f"{name} ({spec.unit_of(name)})" if spec.unit_of(name) else name
        drawings.append(
            Drawing(
                answer_plots.metric_by_threshold(curve, threshold, title),
                f"{name} by the threshold: where it is decided now, and where it would be"
                f" best on these rows ({curve.threshold:.3g}, which knows them)",
            )
        )
    return drawings


def _of_values(judged: Judged, p: Array) -> list[Drawing]:
    drawings = [
        Drawing(
            answer_plots.residuals(judged.truth, p),
            "residuals; the line is the median of tenths, the band their middle half",
        )
    ]
    if judged.times is not None:
        over = answer_plots.residuals_over_time(judged.times, judged.truth, p)
        drawings.append(Drawing(over, "residuals over time: median and middle half of 20 spans"))
        if judged.naive is not None:
            beside = forecast_plots.errors_over_time(judged.times, judged.truth, p, judged.naive)
            words = "error over time, beside the value of one season ago, in 20 spans of rows"
            drawings.append(Drawing(beside, words, forecast_plots.LINES))
    return drawings


def _of_classes(judged: Judged, classes: list[str], p: Array) -> list[Drawing]:
    label, y = p.argmax(axis=1), judged.truth
    table = answer_plots.confusion_table(y, label, len(classes))
    sure = answer_plots.calibration_plot((label == y).astype(int), p.max(axis=1), "calibration")
    return [
        Drawing(sure, "calibration of the most probable class, in tenths of the rows (95 %)"),
        Drawing(
            answer_plots.confusion(table, classes, "confusion"),
            "truth down, prediction across; darker is a greater share of the truth"
            + answer_plots.classes_left_out(classes),
        ),
    ]


def _slices(look: CandidateLook) -> list[dict[str, Any]]:
    if look.slices is None:
        return []
    return [
        {
            "name": s.name,
            "rows": f"{s.found.rows:,}",
            "metric": _figure(s.metric),
            "loss": f"{s.found.loss:.4g}",
            "ends": f"{s.found.low:.4g} to {s.found.high:.4g}",
            "difference": f"{s.found.difference:+.3g}",
            "p": _chance(s.found.p_holm),
            "worse": s.found.p_holm <= 0.05 and s.found.difference > 0,  # noqa: PLR2004 -- 5 %
        }
        for s in look.slices.slices
    ]


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004 -- three digits are read


def _interval(found: Spread) -> tuple[str, str]:
    """Return a metric's value and the ends of its interval, each as text."""
    ends = sorted((found.bad_end, found.good_end))
    known = all(np.isfinite(ends))
    return _figure(found.value), f"{ends[0]:.4g} to {ends[1]:.4g}" if known else found.untold


def _figure(value: float | None) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.4g}"
