"""The run of a candidate in the registry: its tags, its figures, its plots."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.checkout import commit_of
from pipelines.intervals import iso
from pipelines.spec.automl import REASONS
from pipelines.verdicts import words

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import Sampled, Threshold, TrainRequest
    from pipelines.spec import Candidate, Spec
    from pipelines.training.candidate_fit import CandidateFit, Judgement
    from pipelines.training.preparation import Prepared
    from pipelines.training.search import SearchResult


def search_figures(
    metric: str, result: SearchResult, nested: tuple[float | None, float | None]
) -> dict[str, float | None]:
    """Return what the registry keeps of the search's scores."""
    return {
        f"cv_{metric}": result.score,
        f"cv_{metric}_spread": result.spread,
        f"cv_nested_{metric}": nested[0],
        f"cv_nested_{metric}_spread": nested[1],
    }


def sample_figures(sampled: Sampled | None) -> dict[str, float | None]:
    """Return what the registry keeps of a sample that stands for all rows; nothing without one."""
    if sampled is None:
        return {}
    return {
        "rows_sampled": sampled.learnt,
        "rows_to_learn_from": sampled.of,
        "rows_to_judge_on": sampled.judged_of,
    }


def tag_sample(context: Context, run_id: str, sampled: Sampled) -> None:
    """Say in the candidate's run, as its tag and parameter, what it was fitted on."""
    said = words.sampled(sampled)
    context.log.info("%s", said)
    context.ports.registry.log(
        run_id, params={"fitted_on": said[:500]}, metrics={}, tags={"sampled": said[:500]}
    )


def log_run(
    context: Context,
    request: TrainRequest,
    candidate: Candidate,
    learnt: tuple[SearchResult, Threshold | None],
    metrics: dict[str, float | None],
    figures: dict[str, float | None],
    key: str,
) -> str:
    """Write the candidate's run into the registry and return its id.

    The same again changes nothing.
    """
    spec, features, registry = context.spec, request.features, context.ports.registry
    result, threshold = learnt
    tags = {
        "run": request.run,
        "candidate": candidate.name,
        "estimator": candidate.estimator,
        "git_commit": commit_of(context.settings.home) or "unknown",
        "lock_sha256": context.lock or "unknown",
        "code_sha256": context.code,
        "features_revision": features.version.revision,
        "features_sha256": features.version.sha256,
        "seed": str(spec.train.seed),
        "as_of": iso(features.as_of),
        **context.environment_tags,
        **context.metrics_tags,
        **context.image,
        **({"threshold": f"{threshold.value:g}"} if threshold else {}),
        **{f"unit_{name}": unit for name in metrics if (unit := spec.unit_of(name))},
        **_finished_tag(context, candidate),
        **_spread_tag(spec, candidate),
    }
    if spec.is_proposed(candidate.name):
        tags["proposed_because"] = REASONS[candidate.name]
    run_id = registry.child(spec.name, features.parent_run, key, candidate.name, tags)
    values: dict[str, float | None] = {f"holdout_{name}": value for name, value in metrics.items()}
    values |= {**figures, **_threshold_figures(threshold)}
    numbers = {name: float(value) for name, value in values.items() if value is not None}
    params = {name: str(value) for name, value in result.params.items()}
    registry.log(
        run_id,
        params=params,
        metrics={**numbers, "settings_tried": float(len(result.settings))},
        tags=tags,
    )
    return run_id


def _threshold_figures(threshold: Threshold | None) -> dict[str, float | None]:
    """Return what the registry keeps of a threshold as numbers."""
    if threshold is None:
        return {}
    figures: dict[str, float | None] = {"threshold": threshold.value}
    if threshold.chosen_for:
        name = threshold.chosen_for
        figures |= {
            "threshold_rows": threshold.rows,
            f"out_of_fold_{name}": threshold.score,
            f"out_of_fold_{name}_at_half": threshold.default_score,
        }
    return figures


def _spread_tag(spec: Spec, candidate: Candidate) -> dict[str, str]:
    """Return how many trials the search fitted at once; nothing where it was one by one."""
    at_once = candidate.most_at_once(spec.search.parallel)
    return {"trials_at_once": str(at_once)} if at_once > 1 else {}


def _finished_tag(context: Context, candidate: Candidate) -> dict[str, str]:
    """Return the hash of a finished model's file; nothing for a model that was fitted."""
    if not candidate.onnx:
        return {}
    from pipelines.training.onnx.finished import digest_of

    return {"onnx_sha256": digest_of(context.folder, candidate)}


def attach_plots(
    context: Context,
    run_id: str,
    candidate: Candidate,
    fit: CandidateFit,
    judgement: Judgement,
    rows: Prepared,
) -> None:
    """Attach the search's table to the candidate's run, and the plots where they are wanted."""
    from pipelines.data import labelled_rows
    from pipelines.training import plots
    from pipelines.training.clusters.plots import clusters

    spec, settings, chosen = context.spec, fit.search.settings, fit.chosen
    truth, answers, measures = rows.truth, judgement.answers, judgement.measures
    with tempfile.TemporaryDirectory(prefix="perennial-plots-") as name:
        folder = Path(name)
        files = [plots.table(folder, settings)]
        if context.settings.plots:
            times = labelled_rows.times(rows.holdout, spec)
            files += plots.holdout(folder, spec, truth, answers, times)
            files += clusters(folder, measures, answers)
            files += plots.importance(
                folder, spec, fit.model, rows.schema, rows.holdout, truth, measures, chosen.value
            )
            files += plots.threshold(folder, spec, chosen)
            if candidate.search:
                files += plots.search(folder, spec, settings)
        for file in files:
            context.ports.registry.attach(
                run_id, file, "plots" if file.suffix == ".png" else "search"
            )
